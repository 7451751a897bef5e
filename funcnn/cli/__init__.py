"""The command line, ``python -m funcnn``.

``main`` finds the command; ``options`` reads what is asked for into ``Settings``, of which ``arguments`` are those of the models
and ``jobs`` is the table of all that can be trained. ``problem`` and ``text`` load the data, ``network`` makes the model, and a
file in ``tasks`` says for each kind of job what its loss is, what is shown in the end, and how a saved network is used.
``train``, with ``certifying`` and ``learning``, ``predict`` and ``sample`` are the commands; ``folder`` writes and reads what a
run leaves; ``terminal`` and ``pictures`` draw.
"""
