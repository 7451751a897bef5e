"""The network and the optimizer that settings ask for, and the same as a line of a script."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, TypeAlias, cast

import numpy as np
from attrs import field, frozen

import funcnn as fn
from funcnn import tree
from funcnn.cli.failure import RequestError
from funcnn.cli.settings import Settings
from funcnn.layer import AnyLayer, Init, Layer
from funcnn.optim.optimizer import Optimizer
from funcnn.optim.schedules import Rate
from funcnn.typing import Shapes

Network: TypeAlias = Layer[tuple[object, ...], tuple[object, ...], Any, Any]
"""Which layers there are, and so the types of what goes in and out, is known only at run time."""

_LARGEST = 2_000_000_000  # parameters: beyond, a mistyped width would bring the machine down before any message
_LEAST_SIDE = 12  # of the images that LeNet-5 takes
_WARMUP = 20  # one step in so many


@frozen
class Facts:
    """What a network must know of the data."""

    classes: tuple[str, ...]
    features: int
    """The numbers of an input, or the characters that are seen at a time."""
    picture: tuple[int, ...] = ()
    """Rows and columns of an image, and channels where it has some; () where the inputs are none."""
    vocabulary: str = ""
    """The characters of a text."""
    from_bytes: bool = False
    """Whether the numbers of an image were bytes, divided by 255."""

    @property
    def outputs(self) -> int:
        """The numbers that a network gives for a row: one for each class, or one where there is no class."""
        return max(1, len(self.classes))


@frozen
class Call:
    """A factory with its arguments."""

    name: str
    given: tuple[object, ...] = ()
    named: Mapping[str, object] = field(factory=dict)

    def make(self) -> AnyLayer:
        """Return the layer."""
        return cast(AnyLayer, _factory(self.name)(*self.given, **self.named))

    def __str__(self) -> str:
        named = [f"{name}={value!r}" for name, value in self.named.items()]
        return f"fn.{self.name}({', '.join([*map(repr, self.given), *named])})"


def calls(settings: Settings, facts: Facts) -> list[Call]:
    """Return the layers that follow one another, as calls of factories."""
    some: dict[str, object] = {**settings.arguments}
    classes, letters = len(facts.classes), len(facts.vocabulary)
    if settings.model == "mlp":
        return _perceptron(settings, facts.outputs)
    if settings.model == "lenet5":
        larger = -(-_LEAST_SIDE // min(facts.picture[:2]))
        steps = [_as_image(facts)] + [Call("upsample", (larger,))] * (larger > 1)
        return [*steps, Call("lenet5", (classes,), _only(settings, "activation", "pooling"))]
    if settings.model == "convnet":
        return [_as_image(facts), Call("convnet", (classes,), some)]
    if settings.model == "resnet":
        (channels,) = settings.sizes("channels")
        return [_as_image(facts), Call("resnet", (some["depth"], classes), {"channels": channels})]
    if settings.model == "unet":
        image = _as_image(facts)
        named = {"channels": some["channels"], "blocks": some["depth"]}
        shape = cast("tuple[tuple[int, ...]]", image.given)[0]
        return [image, Call("unet", (shape[-1],), named), Call("flatten")]
    if settings.model == "siamese":
        widths = (*settings.sizes("hidden"), settings.count("latent_size"))
        return [Call("siamese", widths, _only(settings, "activation", "dropout"))]
    if settings.model == "autoencoder":
        return [Call("autoencoder", (facts.features,), some | ({} if settings.table else {"output": "sigmoid"}))]
    if settings.model == "vae":
        return [Call("vae", (facts.features,), some)]
    if settings.model == "char_rnn":
        return [Call("char_rnn", (letters,), _only(settings, "cell", "features", "layers", "embedding_size", "dropout"))]
    if settings.model == "gpt":
        return [Call("gpt", (letters,), some)]
    named = _only(settings, "features", "layers")
    if settings.choice("encoder") == "transformer":
        named |= _only(settings, "heads", "dropout")
    return [Call("text_classifier", (letters + 1, classes, some["encoder"]), named)]  # token 0 is the padding


def _perceptron(settings: Settings, classes: int) -> list[Call]:
    layers: list[Call] = []
    for width in settings.sizes("hidden"):
        layers += [Call("dense", (width,)), Call(settings.choice("activation"))]
        if settings.number("dropout"):
            layers.append(Call("dropout", (settings.number("dropout"),)))
    return [*layers, Call("dense", (classes,))]


def _as_image(facts: Facts) -> Call:
    return Call("reshape", ((*facts.picture, 1)[:3],))


def _only(settings: Settings, *names: str) -> dict[str, object]:
    return {name: settings.arguments[name] for name in names}


def make_network(settings: Settings, facts: Facts) -> Network:
    """Return the network.

    Raises
    ------
    RequestError
        When its settings do not go together, or with the data.
    """
    size = least_parameters(settings, facts)
    if size > _LARGEST:
        raise _too_large(settings, size)
    if settings.model == "resnet" and len(settings.sizes("channels")) != 1:
        raise RequestError("--channels: resnet takes one number, the channels of its first stage")
    try:
        made = [call.make() for call in calls(settings, facts)]
    except (TypeError, ValueError) as error:
        raise refused(settings, error) from None
    network: AnyLayer = made[0] if len(made) == 1 and settings.model != "mlp" else fn.serial(*made)
    return network


def source(settings: Settings, facts: Facts) -> str:
    """Return the expression that makes the network in a script."""
    made = list(map(str, calls(settings, facts)))
    return made[0] if len(made) == 1 and settings.model != "mlp" else f"fn.serial({', '.join(made)})"


def in_shape(settings: Settings, facts: Facts) -> Shapes:
    """Return the shape of an input, without the batch axis."""
    one = (facts.features,)
    return (one, one) if settings.job.task == "compare" else one


def make_optimizer(settings: Settings, rows: int) -> Optimizer:
    """Return the optimizer, its learning rate scheduled over all steps of a training set with the given number of rows."""
    steps = settings.steps or settings.epochs * fn.data.batch_count(rows, settings.batch_size)
    peak = settings.learning_rate
    rising = max(1, steps // _WARMUP)
    rate: Rate
    if settings.schedule == "warmup" and steps > rising:
        rate = fn.schedules.warmup_cosine(peak, rising, steps, final=peak / 10)
    else:
        rate = peak if settings.schedule == "constant" else fn.schedules.cosine(peak, steps)
    optimizer = cast(Optimizer, _factory(settings.optimizer)(rate))
    return fn.chain(fn.clip_by_global_norm(settings.clip), optimizer) if settings.clip else optimizer


def least_parameters(settings: Settings, facts: Facts) -> int:
    """Return a number of parameters that the network does not have less than, without making it; of a perceptron the number."""
    task, letters = settings.job.task, len(facts.vocabulary)
    if settings.model in ("convnet", "unet"):
        return sum(9 * fewer * more for fewer, more in pairwise(settings.sizes("channels"))) * settings.count("depth")
    if settings.model == "resnet":
        return settings.count("depth") * 9 * settings.sizes("channels")[0] ** 2
    if task in ("write", "classify_text"):
        width, layers = settings.count("features"), settings.count("layers")
        first = settings.count("embedding_size") if "embedding_size" in settings.arguments else width
        places = settings.count("context_length") if settings.model == "gpt" else 0
        return (letters + places) * first + layers * width * width
    if settings.model == "lenet5":
        larger = -(-_LEAST_SIDE // min(facts.picture[:2]))
        return 16 * 120 * math.prod(max(1, (side * larger - 8) // 4) for side in facts.picture[:2])
    if "hidden" not in settings.arguments:
        return 0
    last = facts.outputs if settings.model == "mlp" else settings.count("latent_size")
    widths = [facts.features, *settings.sizes("hidden"), last]
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


def start(settings: Settings, model: Network, key: fn.Key, facts: Facts) -> Init[tuple[object, ...], tuple[object, ...]]:
    """Return the initial parameters and state in the precision asked for.

    Raises
    ------
    RequestError
        When they do not fit in memory, or the network does not take such inputs.
    """
    try:
        made = model.init(key, in_shape(settings, facts))
        dtype = np.dtype(settings.dtype)
        return Init(tree.astype(made.params, dtype), tree.astype(made.state, dtype), made.out_shape)
    except MemoryError:
        raise _too_large(settings, least_parameters(settings, facts)) from None
    except (TypeError, ValueError) as error:
        raise refused(settings, error) from None


def refused(settings: Settings, error: Exception) -> RequestError:
    """Return the error of a model or a loss as one of the request."""
    where = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
    return RequestError(f"--model {settings.model}: {error}{where}")


def _too_large(settings: Settings, size: int) -> RequestError:
    names = [name for name in settings.arguments if name not in ("dropout", "noise", "context_length", "heads")]
    given = [(name, settings.arguments[name]) for name in names if not isinstance(settings.arguments[name], str)]
    said = " ".join(f"--{name} {' '.join(map(str, value)) if isinstance(value, tuple) else value}" for name, value in given)
    return RequestError(f"{said}: {size:,} parameters do not fit in memory")


def _factory(name: str) -> Callable[..., object]:
    return cast("Callable[..., object]", getattr(fn, name))
