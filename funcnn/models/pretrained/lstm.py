"""Long short-term memory as ``torch.nn.LSTM`` has it: layers one above the other, in one direction or in both.

There is no ``config.json`` that others agree on: it holds ``"model_type": "lstm"`` and the arguments of ``torch.nn.LSTM`` by
their names.  Gates stand in the order input, forget, candidate, output there, and have two biases, which only occur as their sum.
"""

from __future__ import annotations

from funcnn.combinators.bidirectional import bidirectional
from funcnn.combinators.serial import serial
from funcnn.initializers import Initializer
from funcnn.layer import AnyLayer
from funcnn.layers.recurrent.lstm import lstm
from funcnn.models.pretrained.architecture import Architecture, Network
from funcnn.models.pretrained.configuration import NEEDED, Configuration, Fields
from funcnn.models.pretrained.forms import gate_biases, gates
from funcnn.models.pretrained.table import Entries, Entry, Table

FIELDS = Fields(
    used={"input_size": NEEDED, "hidden_size": NEEDED, "num_layers": 1, "bidirectional": False},
    only={"bias": (True,), "batch_first": (True,), "proj_size": (0,)},
    unused=frozenset({"dropout", "device"}),
)

ORDER = (0, 1, 3, 2)
"""Where input, forget, output and candidate stand there."""


def layer_entries(path: str, ending: str) -> Entries:
    """Return the entries of a layer in one direction."""
    return (
        Entry(f"{path}.input_weight", f"weight_ih_{ending}", gates(*ORDER)),
        Entry(f"{path}.recurrent_weight", f"weight_hh_{ending}", gates(*ORDER)),
        Entry(f"{path}.bias", (f"bias_ih_{ending}", f"bias_hh_{ending}"), gate_biases(*ORDER)),
    )


def build(config: Configuration, weight_init: Initializer) -> Network:
    """Return the network: sequences (n, t, features) to the hidden states of the last layer."""
    hidden, layers, both = config.count("hidden_size"), config.parts("num_layers"), config.flag("bidirectional")
    entries: list[Entry] = []
    parts: list[AnyLayer] = []
    for number in range(layers):
        one: AnyLayer = lstm(hidden, input_init=weight_init, recurrent_init=weight_init)
        parts.append(bidirectional(one, one) if both else one)
        if both:
            entries += [*layer_entries(f"[{number}][0]", f"l{number}"), *layer_entries(f"[{number}][1]", f"l{number}_reverse")]
        else:
            entries += layer_entries(f"[{number}]", f"l{number}")
    model: AnyLayer = serial(*parts)
    return Network(model, (1, config.count("input_size")), Table(tuple(entries)))


LSTM = Architecture("lstm", FIELDS, build)
