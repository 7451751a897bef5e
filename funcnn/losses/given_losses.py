r"""A network that computes its losses itself: the prediction is the losses, and what remains is to make them one number.

With the prediction $p_n$ of each entry, $\ell_n = p_n$, and so $\bar p_n = \bar\ell_n$; reduction and weights are those of all
losses (:mod:`funcnn.losses.reduction`).
"""

import numpy as np

from funcnn.losses.checks import check_no_target, check_prediction
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced, spread
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array, Empty, Shape


def losses(prediction: Array, target: Empty) -> tuple[Array, Shape]:
    check_prediction(prediction)
    check_no_target(target)
    return prediction.copy(), prediction.shape


def pullback(shape: Shape, dlosses: Array) -> Array:
    gradient: Array = np.broadcast_to(spread(dlosses, len(shape)), shape).copy()
    return gradient


def given_losses(*, reduction: Reduction = "mean") -> Loss[Array, Empty | Weighted[Empty]]:
    """Mean of a prediction that is already losses: for networks that take their labels as an input and compute the loss.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of losses (n, ...), floating; its target is the empty tuple, or ``Weighted((), weight)`` with a weight for examples or for
        single entries, such as a mask of the places that count: the form that :func:`fit` takes, as it counts rows of the target.

    Raises
    ------
    TypeError, ValueError
        When the reduction is neither of the two; in ``forward``, when the prediction is not floating, there is a target, or the
        batch is empty.

    See Also
    --------
    linear_cross_entropy : a layer that gives such losses.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.given_losses()
    >>> float(loss.forward(np.array([1.0, 2.0, 6.0]), ()).value)
    3.0

    Places that do not count in the mean:

    >>> float(loss.forward(np.array([1.0, 2.0, 0.0]), fn.Weighted((), np.array([1, 1, 0]))).value)
    1.5
    """
    return reduced("given_losses", Rule(losses, pullback, features=0), reduction)
