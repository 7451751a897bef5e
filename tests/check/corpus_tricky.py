"""The table of right gradients that a checker could take for wrong ones."""

from tests.check.corpus import forms, fourth_tricky, kinks, scales
from tests.check.corpus.entry import Tricky, tricky_entries

TRICKY: tuple[Tricky, ...] = tricky_entries(kinks, scales, forms, fourth_tricky)
