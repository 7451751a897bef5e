r"""The loss of a Wasserstein critic (Arjovsky, Chintala and Bottou 2017, arXiv:1701.07875, eq. 3).

For each entry, with the critic's score $p$ and the target $t = 1$ for what is real and $-1$ for what is generated
$$ \ell = -t p . $$

Derivation.  $\bar p = -t\,\bar\ell$.  The mean over as many real as generated examples is half of minus the estimated distance.
"""

from funcnn.losses.checks import check_pair, check_signs
from funcnn.losses.loss import Loss
from funcnn.losses.reduction import Reduction, Rule, reduced
from funcnn.losses.weighted import Weighted
from funcnn.typing import Array


def losses(prediction: Array, target: Array) -> tuple[Array, Array]:
    target = check_pair(prediction, target)
    check_signs(target)
    return -target * prediction, target


def pullback(target: Array, dlosses: Array) -> Array:
    return -target * dlosses


def wasserstein(*, reduction: Reduction = "mean") -> Loss[Array, Array | Weighted[Array]]:
    """Mean over all entries of ``-target * prediction``, for targets of 1 (real) and -1 (generated): the loss of a critic.

    Parameters
    ----------
    reduction : {"mean", "sum"}, optional
        Over all entries, of every example.

    Returns
    -------
    Loss
        Of scores and targets of one shape, (n, ...), floating; the targets are 1 or -1.  The generator's loss is the same with 1
        for all that it made.  Weights (see :class:`funcnn.Weighted`) may be given to examples or to single entries.

    Raises
    ------
    TypeError, ValueError
        In ``forward``, when the two are not floating arrays of one shape, a target is not -1 or 1, or the batch is empty.

    See Also
    --------
    input_gradient : for a penalty on the critic's slope.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> loss = fn.wasserstein()
    >>> loss.forward(np.array([[3.0], [1.0]]), np.array([[1.0], [-1.0]])).value
    np.float64(-1.0)
    """
    return reduced("wasserstein", Rule(losses, pullback, features=0), reduction)
