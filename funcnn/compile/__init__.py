"""The form in which a compiled network runs: one flat function, made of the layers' own source.

On small networks most of the time goes into calling layers, and into the records that they return.  These modules write, from a
network, the function that a person would write who had no layers: the statements of each ``forward``, then those of each
``backward``, with local names made unique, hyper-parameters bound, and records left out that only carry values from one function
to the next.  It is the same source, hence the same operations in the same order: results are equal to the last bit, and errors
carry the same notes.

- ``compiled`` is what users ask;
- ``source`` tells which functions may be written out, and finds their syntax;
- ``writer`` writes the bodies of functions into one another, ``translate`` puts them in terms of the whole, with ``syntax``;
- ``samples`` knows the shapes and dtypes of what they compute;
- ``network`` writes predictions and steps of training, of ``forward`` and ``backward``, under the ``conditions`` that hold;
- ``function`` makes a function of the statements.
"""
