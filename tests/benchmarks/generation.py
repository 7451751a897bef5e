"""Tokens a second of a network of GPT-2's size with random weights, beside ``transformers`` with its cache.

    pip install torch transformers safetensors && python -m tests.benchmarks.generation --pairs 5

A prompt of 64 tokens and 64 new ones, the most probable each time, float32, one sequence.  Both read the same folder of weights
and must write the same tokens.  They run one after the other, in pairs, each in a process of its own that has written once
before; the table has the median, and the peak of memory beyond what the process had when the weights were read.
"""

from __future__ import annotations

import argparse
import json
import resource
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


def prompt() -> np.ndarray:
    return np.random.default_rng(0).integers(0, CONFIG["vocab_size"], (1, PROMPT))


def funcnn_writer(folder: Path) -> Callable[[], list[int]]:
    """Return a function that writes."""
    import funcnn as fn

    fn.keep_memory()
    loaded = fn.pretrained.load(folder)
    how = fn.generation.Sampling(temperature=0.0)
    arguments = (loaded.model, loaded.params, loaded.state, prompt(), NEW, fn.Key(0))
    return lambda: fn.generation.sample(*arguments, sampling=how).tokens[0].tolist()


def transformers_writer(folder: Path) -> Callable[[], list[int]]:
    """Return a function that writes, in the other library."""
    import torch
    import transformers

    model = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    given = torch.from_numpy(prompt())
    options = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, "pad_token_id": 0, "use_cache": True}

    def write() -> list[int]:
        with torch.inference_mode():
            return model.generate(given, attention_mask=torch.ones_like(given), **options)[0].tolist()

    return write


WRITERS = {"funcnn": funcnn_writer, "transformers": transformers_writer}


def worker(peer: str, folder: Path) -> None:
    """Write when asked to, and answer with the seconds, the tokens and the memory."""
    write = WRITERS[peer](folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write()
    for _ in sys.stdin:
        start = time.perf_counter()
        tokens = write()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "tokens": tokens, "memory": (peak - before) / 1024}), flush=True)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--worker", choices=WRITERS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(folder, options.pairs)


def measure(folder: Path, pairs: int) -> None:
    """Write the weights, run both in turn, and print the table."""
    import funcnn as fn

    made = fn.pretrained.build(CONFIG, fn.Key(0))
    fn.pretrained.save(folder, attrs.evolve(made, params=fn.tree.astype(made.params, np.float32)))
    del made
    program = [sys.executable, "-m", "tests.benchmarks.generation", "--folder", str(folder), "--worker"]
    running = {
        peer: subprocess.Popen([*program, peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for peer in WRITERS
    }
    answers: dict[str, list[dict[str, Any]]] = {peer: [] for peer in WRITERS}
    for _ in range(pairs):
        for peer, process in running.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            answers[peer].append(json.loads(process.stdout.readline()))
    for process in running.values():
        process.communicate()
    ours, theirs = (answers[peer][0]["tokens"] for peer in WRITERS)
    alike = sum(a == b for a, b in zip(ours[PROMPT:], theirs[PROMPT:], strict=True))
    seconds = {peer: [one["seconds"] for one in answers[peer]] for peer in WRITERS}
    print(f"{alike} of {NEW} new tokens are the same")
    print("| library | tokens a second | seconds | least | MiB |\n|---|---|---|---|---|")
    for peer, each in seconds.items():
        middle, memory = statistics.median(each), answers[peer][-1]["memory"]
        print(f"| {peer} | {NEW / middle:.1f} | {middle:.2f} | {min(each):.2f} | {memory:.0f} |")
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    middle = statistics.median(ratios)
    print(f"time of the first by the second, pair by pair: median {middle:.2f}, {min(ratios):.2f}-{max(ratios):.2f}")


if __name__ == "__main__":
    main()
