"""Tokens a second of a network of GPT-2's size with random weights, beside ``transformers.generate`` and onnxruntime.

    pip install torch transformers safetensors onnx onnxruntime && python -m tests.benchmarks.generation

A prompt of 64 tokens and 64 new ones, the most probable each time, float32, one sequence, all with caches and as many threads.
All read the same folder of weights, each in a process of its own, have written some tokens before, and must write the same.  They
take turns token by token, so that whatever else the machine does disturbs all alike: the ratio is the median over the tokens of
one time by the other.
"""

from __future__ import annotations

import argparse
import os
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


def funcnn_writer(folder: Path, threads: int) -> Write:
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


def transformers_writer(folder: Path, threads: int) -> Write:
    import torch
    import transformers

    torch.set_num_threads(threads)
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


def onnxruntime_writer(folder: Path, threads: int) -> Write:
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(folder / "step.onnx", settings, providers=["CPUExecutionProvider"])
    outputs = [one.name for one in session.get_outputs()[1:]]
    start = np.zeros((1, CONFIG["n_head"], 0, CONFIG["n_embd"] // CONFIG["n_head"]), np.float32)

    def write(count: int, turn: Callable[[], None]) -> list[int]:
        tokens: list[int] = []
        given, past = prompt(), [onnxruntime.OrtValue.ortvalue_from_numpy(start)] * len(outputs)
        binding = session.io_binding()
        for _ in range(count):
            turn()
            binding.bind_cpu_input("ids", given)
            for index, (output, value) in enumerate(zip(outputs, past, strict=True)):
                binding.bind_ortvalue_input(f"past_{index}", value)
                binding.bind_output(output)
            binding.bind_output("logits")
            session.run_with_iobinding(binding)
            *past, logits = binding.get_outputs()  # handed on as they are
            tokens.append(int(logits.numpy()[0].argmax()))
            given = np.array([[tokens[-1]]])
        turn()
        return tokens

    return write


WRITERS: dict[str, Callable[[Path, int], Write]] = {
    "funcnn": funcnn_writer,
    "transformers": transformers_writer,
    "onnxruntime": onnxruntime_writer,
}


def worker(peer: str, folder: Path, threads: int) -> None:
    """Write a token whenever a line comes, and answer with its seconds, of clock and processors; then tokens and peak."""
    write = WRITERS[peer](folder, threads)
    write(4, lambda: None)
    begun: list[tuple[float, float]] = []

    def turn() -> None:
        if begun:
            clock, used = begun.pop()
            print(time.perf_counter() - clock, time.process_time() - used, flush=True)
        else:
            print("ready", flush=True)
        sys.stdin.readline()
        begun.append((time.perf_counter(), time.process_time()))

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
    parser.add_argument("--threads", type=int, default=2, help="of each library (2)")
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, options.folder, options.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.threads)


def ask(process: subprocess.Popen[str], line: str = "\n") -> str:
    """Send a line, and return the answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line)
    process.stdin.flush()
    return process.stdout.readline()


def measure(folder: Path, threads: int) -> None:
    """Write the weights, run all in turn, and print the table."""
    import funcnn as fn
    from tests.benchmarks.generation_onnx import export

    made = fn.pretrained.build(CONFIG, fn.Key(0))
    fn.pretrained.save(folder, attrs.evolve(made, params=fn.tree.astype(made.params, np.float32)))
    del made
    export(folder, folder / "step.onnx")
    program = [
        sys.executable,
        "-m",
        "tests.benchmarks.generation",
        "--folder",
        str(folder),
        "--threads",
        str(threads),
        "--worker",
    ]
    setting = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    running = {
        peer: subprocess.Popen([*program, peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=setting)
        for peer in WRITERS
    }
    for process in running.values():
        assert ask(process, "") == "ready\n"
    taken: dict[str, list[tuple[float, float]]] = {peer: [] for peer in WRITERS}
    for _ in range(NEW):
        for peer, process in running.items():
            clock, used = ask(process).split()
            taken[peer].append((float(clock), float(used)))
    ends = {peer: [int(word) for word in ask(process).split()] for peer, process in running.items()}
    print(
        "| library | prompt and first token, s | then a token, ms: median | least | of the processors | MiB at the peak | alike |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for peer, each in taken.items():
        clocks, processors = zip(*each[1:], strict=True)
        same = sum(a == b for a, b in zip(ends["funcnn"][:-1], ends[peer][:-1], strict=True))
        milliseconds = [f"{1e3 * one:.0f}" for one in (statistics.median(clocks), min(clocks), min(processors))]
        figures = [f"{each[0][0]:.2f}", *milliseconds]
        print(f"| {peer} | {' | '.join(figures)} | {ends[peer][-1]:,} | {same} of {NEW} |")
    for peer in list(WRITERS)[1:]:
        for place, what in enumerate(("clock", "processors")):
            ratios = [a[place] / b[place] for a, b in zip(taken["funcnn"], taken[peer], strict=True)][1:]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(f"time of a token by that of {peer}, {what}: median {middle:.2f}, quartiles {low:.2f}-{high:.2f}")


if __name__ == "__main__":
    main()
