"""Settings of the test session."""

import os

# Small products gain nothing from a second BLAS thread, which spins in the way of the tests beside it.  Workers inherit this.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
