"""The table of mistakes that were written after the diagnosis."""

from tests.check.corpus import held_out, later
from tests.check.corpus.entry import Wrong, wrong_entries

HELD_OUT: tuple[Wrong, ...] = wrong_entries(held_out, later)
