"""Step times of funcnn beside torch, JAX and scikit-learn, in one command: ``python -m tests.benchmarks``.

How a run goes
--------------
Every peer runs in a process of its own, limited to two threads and started once per workload.  All peers get the same initial
parameters and the same batches, as an ``.npz`` file.  First their trajectories are compared: the losses of the first steps (or
the outputs, for inference) must agree with funcnn's within the workload's tolerance, otherwise the run stops.

Then the clock runs, in rounds: in each round every peer takes one burst of steps, one peer after the other, in an order that
rotates, so that a machine whose load drifts treats all alike.  A burst restarts from the initial parameters, warms up, and
times chunks of steps; its figure is the median chunk.  Printed are the median over the rounds, their quartiles, the best chunk,
and the ratio to the best peer, which is the median of the ratios within each round.  ``numpy by hand`` is not a peer but a
yardstick (:mod:`tests.benchmarks.by_hand`), and so is ``funcnn without Numba``: they have a ratio, and none is taken to them.

On a machine that others use too, ``--patience 50`` repeats a burst (on Linux) during which other processes took more than a
twentieth of a processor; what was disturbed all the same is counted in the output.

Memory is the resident set above the bare interpreter: at its peak, and after the last burst.  The time of an import is that of
a fresh interpreter which has imported NumPy already; funcnn's is given twice, since it imports what it needs at first use.

What is fair
------------
A step is what a training loop does: a batch goes in, the loss comes out as a Python float, and the parameters and the
optimizer's state are the next ones.  Batches are in each peer's own arrays before the clock starts (JAX takes NumPy or device
arrays, whichever is faster).  torch runs the plain functional form with the fastest variant of its Adam; gradients are set to
None, and inference is under ``inference_mode``.  JAX jits the whole step, optimizer included, with donated buffers.
scikit-learn takes a batch by ``partial_fit``, with its optimizer's constants such that it goes the same way.  funcnn runs as
users call it, ``fn.compiled(fn.loss_and_grad(model, loss))`` and ``optimizer.update``, after ``fn.keep_memory()`` as ``fn.fit``
calls it.  Environment variables that would force a library's kernels are taken out: each chooses its own for the processor.

Usage
-----
::

    pip install -e '.[bench]'
    python -m tests.benchmarks                        # the table of workloads: some nine minutes
    python -m tests.benchmarks --growth               # how cost grows with size: some three minutes
    python -m tests.benchmarks --fit                  # what fit costs beside the loop written out
    python -m tests.benchmarks --peak                 # how close products come to the machine's peak
    python -m tests.benchmarks --all --docs docs/benchmarks.md       # everything, into the page of the documentation
    python -m tests.benchmarks xor digits --rounds 31 --patience 50
    python -m tests.benchmarks --peers funcnn,jax --json out.json --markdown table.md

One file of ``workloads/`` per workload; a new one is found by its name.
"""
