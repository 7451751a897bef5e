"""Find the digits that somebody labelled wrongly: their gradients are long.

    python docs/examples/mislabelled.py

One digit in twenty is given another label.  A network is trained on all of them for a few epochs, too few to learn exceptions by
heart: it reads the wrong ones as what they are, and their labels pull at the parameters.  The norms of the gradients of single
examples put them first (compare GraNd, Paul et al. 2021, arXiv:2107.07075).
"""

import argparse

import numpy as np

import funcnn as fn

SHARE, EPOCHS = 0.05, 12


def main(seed: int = 0) -> tuple[float, float]:
    key = fn.Key(seed)
    data = fn.data.digits(dtype=np.float32)
    generator = key.child(0).generator()
    wrong = generator.random(len(data.x)) < SHARE
    labels = np.where(wrong, (data.y + generator.integers(1, 10, len(data.y))) % 10, data.y)

    model, loss = fn.dense(128) >> fn.relu() >> fn.dense(10), fn.softmax_cross_entropy()
    result = fn.fit(model, loss, fn.adam(2e-3), data.x, labels, key=key.child(1), epochs=EPOCHS, batch_size=64, progress=False)
    norms = fn.per_example_norms(model, loss)(result.params, result.state, data.x, labels, fn.Eval())
    first = np.argsort(-norms)[: wrong.sum()]
    found = float(wrong[first].mean())
    area = fn.metrics.roc_auc(norms, wrong.astype(int))
    print(
        f"{wrong.sum()} of {len(labels)} labels are wrong: of as many with the longest gradients {found:.1%} are (AUC {area:.4f})"
    )
    return found, area


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args().seed)
