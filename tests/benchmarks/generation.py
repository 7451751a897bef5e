"""Tokens a second of a network of GPT-2's size with random weights, beside ``transformers.generate`` with its cache.

    pip install torch transformers safetensors && python -m tests.benchmarks.generation

A prompt of 64 tokens and 64 new ones, the most probable each time, float32, one sequence.  Both read the same folder of weights,
each in a process of its own, have written some tokens before, and must write the same.  They take turns token by token, so that
whatever else the machine does disturbs both alike: the ratio is the median over the tokens of one time by the other.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np

PROMPT, NEW = 64, 64
CONFIG: dict[str, Any] = {
    "model_type": "gpt2", "vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024,
    "architectures": ["GPT2LMHeadModel"], "bos_token_id": 50256, "eos_token_id": 50256,
}  # fmt: skip

Write = Callable[[int, Callable[[], None]], list[int]]
"""Writes so many tokens, calls a function before each and at the end, and returns them."""


def prompt() -> np.ndarray:
    return np.random.default_rng(0).integers(0, CONFIG["vocab_size"], (1, PROMPT))


def funcnn_writer(folder: Path) -> Write:
    import funcnn as fn
    from funcnn.models.generation.running import Running

    fn.keep_memory()
    loaded = fn.pretrained.load(folder)
    how = fn.generation.Sampling(temperature=0.0)
    plain = Running.next_logits

    def write(count: int, turn: Callable[[], None]) -> list[int]:
        def next_logits(running: Running, sequence: Any) -> Any:
            turn()
            return plain(running, sequence)

        Running.next_logits = next_logits  # type: ignore[method-assign]  # it waits for its turn
        made = fn.generation.sample(loaded.model, loaded.params, loaded.state, prompt(), count, fn.Key(0), sampling=how)
        turn()
        return made.tokens[0, PROMPT:].tolist()

    return write


def transformers_writer(folder: Path) -> Write:
    import torch
    import transformers

    model = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    given = torch.from_numpy(prompt())

    class Turns(transformers.generation.BaseStreamer):
        def __init__(self, turn: Callable[[], None]) -> None:
            self.turn = turn

        def put(self, value: Any) -> None:
            self.turn()

        def end(self) -> None:
            pass

    def write(count: int, turn: Callable[[], None]) -> list[int]:
        options = {"max_new_tokens": count, "min_new_tokens": count, "do_sample": False, "pad_token_id": 0, "use_cache": True}
        with torch.inference_mode():
            made = model.generate(given, attention_mask=torch.ones_like(given), streamer=Turns(turn), **options)
        return made[0, PROMPT:].tolist()

    return write


WRITERS: dict[str, Callable[[Path], Write]] = {"funcnn": funcnn_writer, "transformers": transformers_writer}


def worker(peer: str, folder: Path) -> None:
    """Write a token whenever a line comes, and answer with its seconds; at last with all tokens and the peak of memory."""
    write = WRITERS[peer](folder)
    write(4, lambda: None)
    begun: list[float] = []

    def turn() -> None:
        if begun:
            print(time.perf_counter() - begun.pop(), flush=True)
        else:
            print("ready", flush=True)
        sys.stdin.readline()
        begun.append(time.perf_counter())

    tokens = write(NEW, turn)
    print(*tokens, peak(), flush=True)


def peak() -> int:
    """Return the most memory that this process has had, in MiB; ``resource`` tells that of the one that started it, too."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", choices=WRITERS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder))


def ask(process: subprocess.Popen[str], line: str = "\n") -> str:
    """Send a line, and return the answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline()


def measure(folder: Path) -> None:
    """Write the weights, run both in turn, and print the table."""
    import funcnn as fn

    made = fn.pretrained.build(CONFIG, fn.Key(0))
    fn.pretrained.save(folder, attrs.evolve(made, params=fn.tree.astype(made.params, np.float32)))
    del made
    program = [sys.executable, "-m", "tests.benchmarks.generation", "--folder", str(folder), "--worker"]
    running = {
        peer: subprocess.Popen([*program, peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for peer in WRITERS
    }
    for process in running.values():
        assert ask(process, "") == "ready\n"
    seconds: dict[str, list[float]] = {peer: [] for peer in WRITERS}
    for _ in range(NEW):
        for peer, process in running.items():
            seconds[peer].append(float(ask(process)))
    ends = {peer: [int(word) for word in ask(process).split()] for peer, process in running.items()}
    ours, theirs = ends.values()
    print(f"{sum(a == b for a, b in zip(ours[:-1], theirs[:-1], strict=True))} of {NEW} new tokens are the same")
    print("| library | prompt and first token, s | then a token, ms: median | least | tokens a second | MiB at the peak |")
    print("|---|--:|--:|--:|--:|--:|")
    for peer, each in seconds.items():
        middle, least = statistics.median(each[1:]), min(each[1:])
        figures = f"{each[0]:.2f} | {1e3 * middle:.0f} | {1e3 * least:.0f} | {1 / middle:.1f} | {ends[peer][-1]:,}"
        print(f"| {peer} | {figures} |")
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)][1:]
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"time of a token of the first by that of the second: median {middle:.2f}, quartiles {low:.2f}-{high:.2f}")


if __name__ == "__main__":
    main()
