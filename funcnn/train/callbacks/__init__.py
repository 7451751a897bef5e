"""Ready callbacks of ``fit``: the best checkpoint, and logs for other programs.

A callback is any function of an :class:`funcnn.Epoch`; one that looks at steps as well has a method ``on_step``, and one that
can try before the first step what it will have to do has a method ``rehearse``.
"""
