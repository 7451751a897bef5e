"""The table of mistakes that were written after the diagnosis, in three lots.

Their classes as first found, before anything was mended for them: 46 of 51, 29 of 34 and 34 of 35.
"""

from tests.check.corpus import held_out, later, third
from tests.check.corpus.entry import Wrong, wrong_entries

HELD_OUT: tuple[Wrong, ...] = wrong_entries(held_out, later, third)
