"""Interrupts and forks during a shard: it ends, and leaves everything as it was."""

import os
import subprocess
import sys

import pytest

COMMON = """
import os, sys, threading
import numpy as np
import funcnn as fn
from funcnn.runtime import blas
from funcnn.layer import Train

threads = [2]
blas.controls = lambda: ((lambda: threads[0]), (lambda number: threads.__setitem__(0, number)))  # two threads, wherever this runs
model = fn.shard(fn.serial(fn.dense(3), fn.batch_norm()), workers=3)
start = model.init(fn.Key(0), (4,))
x, mode = np.arange(36.0).reshape(9, 4), Train(fn.Key(0))

def run():
    made = model.forward(start.params, start.state, x, mode)
    return model.backward(start.params, made.residuals, np.ones((9, 3)))

expected = run()
"""

INTERRUPTED = (
    COMMON
    + """
import gc, linecache
NAMES = ("runtime/threads.py", "sharding/batch_parts.py", "runtime/blas.py", "sharding/shard.py")
FILES = tuple(os.path.join(os.path.dirname(fn.__file__), name) for name in NAMES)
interrupted = 0
while True:
    left = [interrupted]

    def look(frame, event, argument):
        if frame.f_code.co_filename not in FILES or frame.f_code.co_name == "__del__":  # where Python drops all errors
            return None
        if event == "line" and not linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip().startswith("with "):
            left[0] -= 1
            if left[0] == -1:
                sys.settrace(None)
                raise KeyboardInterrupt
        return look

    # Neither at the head of a with statement, where the interpreter sees to no signal: a tracer would stop it from being left.
    sys.settrace(look)  # of this thread alone, as interrupts come
    try:
        run()
    except KeyboardInterrupt:
        sys.settrace(None)
    else:
        sys.settrace(None)
        if left[0] >= 0:
            break
        raise SystemExit(f"the interrupt at line event {interrupted} is lost")
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            thread.join()
    gc.collect()
    assert threads[0] == 2 and not blas.in_use(), f"interrupt {interrupted}: {threads[0]} threads, in use: {blas.in_use()}"
    interrupted += 1
assert fn.tree.same(run().params, expected.params)
print("interrupts:", interrupted)
"""
)

FORKED = (
    COMMON
    + """
def forward(params, state, x, mode):
    if x[0, 0] == 0:
        child = os.fork()
        if child == 0:
            good = threads[0] == 2 and not blas.in_use() and fn.tree.same(run().params, expected.params)
            os._exit(0 if good else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child is not right"
    return fn.Forward(x, state, ())

own = fn.define_layer("forks", lambda key, shape: fn.Init((), (), shape), forward, lambda params, kept, dy: fn.Backward((), dy))
fn.shard(own, workers=3).forward((), (), x, mode)
assert threads[0] == 2 and not blas.in_use()

def sums(params, state, x, mode):
    if x[0, 0] == 0:
        child = os.fork()
        if child == 0:
            try:
                mode.all_reduce_sum(x.sum())
            except RuntimeError as error:
                os._exit(0 if "forked process" in str(error) else 4)
            os._exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the child waits for parts of its parent"
    return fn.Forward(x + mode.all_reduce_sum(x.sum()), state, ())

own = fn.define_layer("forks", lambda key, shape: fn.Init((), (), shape), sums, lambda params, kept, dy: fn.Backward((), dy))
fn.shard(own, workers=3).forward((), (), x, mode)
print("forked")
"""
)


def ends(program: str) -> str:
    """Return what a program says; it fails, and does not wait for ever."""
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert made.returncode == 0, made.stderr[-2000:]
    return made.stdout


def test_an_interrupt_at_any_line_ends_the_call_and_leaves_nothing_behind() -> None:
    said = ends(INTERRUPTED)
    assert int(said.rpartition(":")[2]) > 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_a_process_that_is_forked_in_a_part_has_the_threads_of_old_and_waits_for_nobody() -> None:
    assert "forked" in ends(FORKED)
