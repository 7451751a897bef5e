"""The embedded data set: 1,797 images of handwritten digits.

Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository, doi:10.24432/C50P49,
under the licence CC BY 4.0: the 1,797 images of its test set, written by 13 people.  ``embedded/optical-digits.txt`` says more.
"""

from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from funcnn.data.dataset import Dataset, check_dtype
from funcnn.data.idx import load_idx
from funcnn.errors import check_flag
from funcnn.typing import Array, IntArray

_FOLDER = Path(__file__).parent / "embedded"

_DESCRIPTION = """\
Optical Recognition of Handwritten Digits: the 1,797 images (8 x 8) of its test set.
E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository, https://doi.org/10.24432/C50P49
Licence: Creative Commons Attribution 4.0 International (CC BY 4.0)."""


def digits(*, flat: bool = True, dtype: DTypeLike = np.float64) -> Dataset[IntArray]:
    """Return the embedded handwritten digits: 1,797 images of 8 x 8 pixels, about 180 of each digit.

    Parameters
    ----------
    flat : bool, optional
        Images as rows of 64 (the default) or as (8, 8, 1), channels last.
    dtype : dtype, optional
        Precision of x.

    Returns
    -------
    Dataset
        x (1797, 64) in [0, 1] in steps of 1/16, y (1797,) labels 0 to 9.

    Notes
    -----
    E. Alpaydin and C. Kaynak (1998), Optical Recognition of Handwritten Digits, UCI Machine Learning Repository,
    doi:10.24432/C50P49; licence CC BY 4.0.

    Examples
    --------
    >>> import funcnn as fn
    >>> data = fn.data.digits()
    >>> data
    Dataset(x=float64[1797, 64], y=int64[1797], 10 classes)
    >>> data.classes[data.y[0]]
    '0'
    """
    kind, flat = check_dtype(dtype), check_flag(flat, "flat")
    pixels = load_idx(_FOLDER / "optical-digits-images-idx3-ubyte.gz")
    labels = load_idx(_FOLDER / "optical-digits-labels-idx1-ubyte.gz")
    x: Array = pixels.reshape((-1, 64) if flat else (-1, 8, 8, 1)).astype(kind)
    x /= 16  # exact in every binary precision
    return Dataset(
        x,
        labels.astype(np.int64),
        classes=tuple("0123456789"),
        features=tuple(f"pixel {row},{column}" for row in range(8) for column in range(8)),
        description=_DESCRIPTION,
    )
