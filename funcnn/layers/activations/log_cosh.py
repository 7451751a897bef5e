r"""Log-cosh: $y = \ln\cosh x$, a smooth absolute value, and so $f'(x) = \tanh x$.

Derivation.  $\mathrm{d}\ln\cosh x = (\sinh x/\cosh x)\,\mathrm{d}x$.

Digits.  $\cosh x = 1 + 2\sinh^2(x/2)$ keeps those of a small $x$, and $\cosh x = \tfrac12 e^{|x|}(1 + e^{-2|x|})$ does not
overflow at a large one:
$$ y = \ln\!\big(1 + 2 \sinh^2(x/2)\big) \quad (|x| < 1), \qquad
   y = |x| - \ln 2 + \ln\!\big(1 + e^{-2|x|}\big) \quad (|x| \ge 1). $$
"""

import numpy as np

from funcnn.kernels.arrays import absolute, constant
from funcnn.layer import Layer
from funcnn.layers.activations.elementwise import from_slope
from funcnn.typing import Array, Empty

LOG_2 = np.log(np.longdouble(2))


def log_cosh_value(x: Array) -> Array:
    size = absolute(x)
    near = size < 1
    half = np.sinh(np.where(near, size, constant(0, x.dtype)) / 2)
    far = np.log1p(np.exp(-2 * size))
    far -= LOG_2.astype(x.dtype)
    far += size
    return np.where(near, np.log1p(2 * half * half), far)


def log_cosh_and_slope(x: Array) -> tuple[Array, Array]:
    return log_cosh_value(x), np.tanh(x)


def log_cosh() -> Layer[Empty, Empty, Array, Array]:
    """Logarithm of the hyperbolic cosine: x**2 / 2 near 0, |x| - log 2 far from it.

    Returns
    -------
    Layer
        Elementwise, of any shape.

    Raises
    ------
    TypeError
        In ``forward``, when x is not a floating array.

    See Also
    --------
    log_cosh_error : the loss that is the mean of it.

    Examples
    --------
    >>> import numpy as np, funcnn as fn
    >>> fn.apply(fn.log_cosh(), (), (), np.array([[-1e4, 0.0, 1.0]]))
    array([[9.99930685e+03, 0.00000000e+00, 4.33780830e-01]])
    """
    return from_slope("log_cosh", log_cosh_value, log_cosh_and_slope)
