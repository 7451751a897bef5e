"""Rows that several processes read batch by batch: each reads those that it computes, so that decoding is divided as well."""

from __future__ import annotations

from typing import cast

import numpy as np
from attrs import frozen

from funcnn.data.streams.rows import Rows
from funcnn.sharding.communicator import Communicator, all_gather_rows
from funcnn.sharding.data_parallel import row_places
from funcnn.typing import Array, IntArray, Shape


@frozen(eq=False, repr=False)
class RowsOfRank(Rows):
    """Batches of rows as one of several ranks needs them: it reads its own, and zeros stand for those of others.

    Nobody looks at the zeros: a step that is divided among ranks takes the rows of its rank from the batch first.
    """

    rows: Rows
    communicator: Communicator

    @property
    def shape(self) -> Shape:
        """The shape of all rows."""
        return self.rows.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Their dtype."""
        return self.rows.dtype

    def read(self, rows: IntArray) -> Array:
        """Return a batch; one of fewer rows than there are ranks is computed by each, and so it is read as a whole."""
        if len(rows) < self.communicator.size:
            return self.rows.take(rows)
        place = row_places(len(rows), self.communicator.size)[self.communicator.rank]
        made = cast(Array, np.zeros((len(rows), *self.shape[1:]), self.dtype))
        made[place] = self.rows.take(rows[place])
        return made

    def gathered(self, batch: Array) -> Array:
        """Return a batch with the rows that all ranks have read: each of them has to ask."""
        if len(batch) < self.communicator.size:
            return batch
        places = row_places(len(batch), self.communicator.size)
        counts = tuple([place.stop - place.start for place in places])
        return all_gather_rows(self.communicator, batch[places[self.communicator.rank]], counts)
