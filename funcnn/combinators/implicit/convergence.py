"""The error of an equation that was not solved."""


class ConvergenceError(ArithmeticError):
    """An equation that defines a layer's output, or the one that defines its gradient, was not solved.

    The message says how far it came and what to do; a note names the path of the layer.
    """
