"""The table of right gradients that a checker could take for wrong ones.

Of those that were written after the checker, before anything was mended for them, 1 of 61, 2 of 13 and 3 of 18 were flagged.
"""

from tests.check.corpus import fifth, forms, fourth_tricky, kinks, scales, sixth
from tests.check.corpus.entry import Tricky, tricky_entries

TRICKY: tuple[Tricky, ...] = tricky_entries(kinks, scales, forms, fourth_tricky, fifth, sixth)
