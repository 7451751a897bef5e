"""The table of wrong gradients: each with the class and the leaf that a check must name.

The twenty classic mistakes are among them: search for their layers.
"""

from tests.check.corpus import attention, contract, conv, dense, elementwise, indexing, losses, norm, recurrent
from tests.check.corpus.entry import Wrong, wrong_entries

WRONG: tuple[Wrong, ...] = wrong_entries(dense, elementwise, attention, norm, conv, recurrent, indexing, losses, contract)
