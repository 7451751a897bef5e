"""The command line, ``python -m funcnn``.

``main`` finds the command; ``options`` reads what is asked for into ``Settings``; ``problem`` loads the data, ``network`` makes
the model; ``train`` and ``predict`` are the two commands; ``folder`` writes and reads what a run leaves; ``pictures`` draws.
"""
