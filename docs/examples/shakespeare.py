"""Characters of Shakespeare: a small GPT and an LSTM learn what comes next, and write.

``python docs/examples/shakespeare.py input.txt`` trains on a text for 2000 steps, at the setting that nanoGPT recommends for a
processor (github.com/karpathy/nanoGPT, README: validation loss 1.88 on tiny Shakespeare), but for the peak of the learning
rate, which is twice as high.  Without a text, a few lines that stand here are learned by heart in some seconds.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import funcnn as fn

LINES = """To be, or not to be, that is the question:
Whether 'tis nobler in the mind to suffer
The slings and arrows of outrageous fortune,
Or to take arms against a sea of troubles
And by opposing end them. To die: to sleep;
No more; and by a sleep to say we end
The heart-ache and the thousand natural shocks
That flesh is heir to, 'tis a consummation
Devoutly to be wish'd. To die, to sleep;
To sleep: perchance to dream: ay, there's the rub.
"""


def train(model: Any, tokens: Any, block: int, batch: int, steps: int, peak: float, key: fn.Key) -> tuple[Any, Any]:
    """Return parameters and state after some steps on windows drawn at random."""
    inputs, targets = fn.data.windows(tokens, block)
    start = model.init(key.child(0), (block,))
    params, state = fn.tree.astype(start.params, np.float32), start.state
    rate = fn.schedules.warmup_cosine(peak, max(1, steps // 20), steps, final=peak / 10)
    decayed = fn.adamw(rate, weight_decay=0.1, where=fn.is_matrix, beta2=0.99)
    optimizer = fn.chain(fn.clip_by_global_norm(1.0), decayed)
    opt_state = optimizer.init(params)
    loss_and_grad = fn.loss_and_grad(model, fn.softmax_cross_entropy())
    generator = key.child(1).generator()
    for step in range(steps):
        rows = generator.integers(len(inputs), size=batch)
        made = loss_and_grad(params, state, inputs[rows], targets[rows], fn.Train(key.child(2).child(step)))
        updated = optimizer.update(params, made.grads, opt_state)
        params, opt_state, state = updated.params, updated.state, made.state
    return params, state


def evaluate(model: Any, params: Any, state: Any, tokens: Any, block: int) -> float:
    """Return the mean loss of all windows that follow one another."""
    inputs, targets = fn.data.windows(tokens, block, stride=block)
    loss = fn.softmax_cross_entropy()
    parts = [slice(i, i + 50) for i in range(0, len(inputs), 50)]
    sums = [
        float(loss.forward(fn.apply(model, params, state, inputs[rows]), targets[rows]).value) * len(inputs[rows])
        for rows in parts
    ]
    return sum(sums) / len(inputs)


def main(path: str = "", seed: int = 0) -> dict[str, float]:
    fn.keep_memory()
    text = Path(path).read_text() if path else LINES
    vocabulary = fn.data.fit_vocabulary(text)
    tokens, size = vocabulary.encode(text), len(vocabulary)
    cut = int(0.9 * len(tokens)) if path else len(tokens)
    training, validation = tokens[:cut], tokens[cut:] if path else tokens
    if path:
        block, batch, steps = 64, 12, 2000
        gpt: Any = fn.gpt(size, layers=4, heads=4, features=128, context_length=block)
        lstm: Any = fn.serial(fn.embedding(size, 64), fn.lstm(256), fn.dense(size))
    else:
        block, batch, steps = 24, 8, 150
        gpt = fn.gpt(size, layers=1, heads=2, features=48, context_length=block)
        lstm = fn.serial(fn.embedding(size, 16), fn.lstm(64), fn.dense(size))
    losses = {}
    for name, model, peak in (("gpt", gpt, 2e-3 if path else 1e-2), ("lstm", lstm, 4e-3 if path else 2e-2)):
        begin = time.perf_counter()
        params, state = train(model, training, block, batch, steps, peak, fn.Key(seed))
        seconds = time.perf_counter() - begin
        losses[name] = evaluate(model, params, state, validation, block)
        print(f"\n{name}: loss {losses[name]:.4f}, {fn.tree.size(params)} parameters, {steps} steps in {seconds:.0f} s\n")
        prompt = vocabulary.encode("\n" if path else "To")[None]
        drawn = fn.generate(
            model, params, state, prompt, 400 if path else 60, fn.Key(seed), context_length=block, temperature=0.8
        )
        print(vocabulary.decode(drawn[0]))
    return losses


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
