"""How much of torch's and ONNX's own test inputs this library can express, and whether it then gives the same numbers.

How it goes
-----------
torch keeps, for its own tests, inputs of every functional and every module; ONNX keeps, for every operator, nodes with inputs
and outputs.  Each input of torch is run twice: as it is, and with torch's functions replaced by layers and losses of this
library (:mod:`tests.coverage.translated`).  The replacement of a function stands in ``operators``, that of a node of ONNX in
``nodes``: it reorders axes and weights, and says in words why a case cannot be expressed (:class:`Inexpressible`).  Beyond that a
replacement may repeat, cut and join arrays, divide a sum by a count, put a constant in place of a parameter that is missing,
leave out the constant of a likelihood, and add what torch keeps as two biases.  A function of torch that nobody replaced is not
called: it is inexpressible.  A Transformer's block is a block here where that has all its options, and otherwise made of its
parts.

Outputs, the gradients with respect to everything that torch has a gradient for, along random cotangents, and running statistics
are compared in float64.  Layers and losses are one operation for torch's autograd (:mod:`tests.coverage.bridge`), so that the
gradients are those of the layers' own ``backward``.

Usage
-----
::

    pip install -e '.[test,bench]'
    python -m tests.coverage                            # prints the tables: half a minute
    python -m tests.coverage --page docs/coverage.md    # and puts them into the page

The exit code is 1 when a sample that can be expressed is not equal; what differs is printed.
"""
