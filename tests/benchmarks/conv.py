"""Training of convolutional networks.

funcnn and JAX take images channels-last, and funcnn the two halves of a batch side by side (``fn.shard``).  torch takes
the images in either memory format, whichever is faster.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks import jobs
from tests.benchmarks.workload import Arrays, Job, Workload

RATE = 1e-3


def training(name: str, what: str, batch: int, image: tuple[int, int, int], goal: float, **options: Any) -> Workload:
    """Return the workload that trains the network of a name with Adam."""
    peers = {
        "funcnn": partial(funcnn_training, name, image),
        "torch": partial(torch_training, name),
        "jax": partial(jax_training, name),
    }
    return Workload(name, what, partial(make, name, batch, image), peers, goal, **options)


def make(name: str, batch: int, image: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Return parameters and random images with labels."""
    rng = np.random.default_rng(20240)
    images = rng.normal(size=(4, batch, *image)).astype(np.float32)
    return {**jobs.initial(FUNCNN[name](), image), "x": images, "t": rng.integers(0, 10, (4, batch))}


# ---------------------------------------------------------------------------------------------------------------- funcnn


def funcnn_lenet() -> Any:
    import funcnn as fn

    features = fn.conv2d(6, 5, padding=2) >> fn.relu() >> fn.max_pool2d(2) >> fn.conv2d(16, 5) >> fn.relu() >> fn.max_pool2d(2)
    return features >> fn.flatten() >> fn.dense(120) >> fn.relu() >> fn.dense(84) >> fn.relu() >> fn.dense(10)


def funcnn_convnet() -> Any:
    import funcnn as fn

    def block(channels: int) -> Any:
        return fn.conv2d(channels, 3, padding=1) >> fn.batch_norm() >> fn.relu()

    first = fn.serial(block(64), block(64), fn.max_pool2d(2))
    return first >> block(128) >> block(128) >> fn.global_avg_pool() >> fn.dense(10)


FUNCNN = {"lenet": funcnn_lenet, "convnet": funcnn_convnet}


def funcnn_training(name: str, image: tuple[int, int, int], arrays: Arrays) -> Job:
    import funcnn as fn

    return jobs.FuncnnTraining(fn.shard(FUNCNN[name]()), image, fn.softmax_cross_entropy(), fn.adam(RATE), arrays)


# ----------------------------------------------------------------------------------------------------------------- torch


def torch_lenet(params: list[Any], x: Any) -> Any:
    from torch.nn import functional

    x = functional.max_pool2d(functional.conv2d(x, params[0], params[1], padding=2).relu(), 2)
    x = functional.max_pool2d(functional.conv2d(x, params[2], params[3]).relu(), 2).flatten(1)
    x = functional.linear(x, params[4], params[5]).relu()
    x = functional.linear(x, params[6], params[7]).relu()
    return functional.linear(x, params[8], params[9])


class TorchConvnet:
    """The network with its running statistics, which take no part in training."""

    def __init__(self) -> None:
        import torch

        self.running = [(torch.zeros(width), torch.ones(width)) for width in (64, 64, 128, 128)]

    def __call__(self, params: list[Any], x: Any) -> Any:
        from torch.nn import functional

        for index, (mean, var) in enumerate(self.running):
            weight, bias, scale, shift = params[4 * index : 4 * index + 4]
            x = functional.conv2d(x, weight, bias, padding=1)
            x = functional.batch_norm(x, mean, var, scale, shift, training=True).relu()
            if index == 1:
                x = functional.max_pool2d(x, 2)
        return functional.linear(x.mean((2, 3)), params[16], params[17])


def torch_training(name: str, arrays: Arrays) -> Job:
    import torch

    def give_params(memory_format: Any, arrays: list[Any]) -> list[Any]:
        made = []
        for array in arrays:
            if array.ndim == 4:
                array = array.permute(3, 2, 0, 1).contiguous(memory_format=memory_format)
            elif array.ndim == 2:
                array = array.T.contiguous()
                if name == "lenet" and array.shape[1] == 400:  # pixels before channels: channels before pixels in torch
                    array = array.reshape(120, 5, 5, 16).permute(0, 3, 1, 2).flatten(1).contiguous()
            made.append(array)
        return made

    def give_input(memory_format: Any, x: Any) -> Any:
        return x.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)

    formats = (torch.contiguous_format, torch.channels_last)
    variants = [(partial(give_params, one), partial(give_input, one)) for one in formats]
    network: jobs.Network = torch_lenet if name == "lenet" else TorchConvnet()
    return jobs.TorchTraining(network, jobs.torch_logits_loss, RATE, 0.0, arrays, variants)


# ------------------------------------------------------------------------------------------------------------------- JAX


def jax_conv(x: Any, weight: Any, bias: Any, padding: str) -> Any:
    import jax

    return jax.lax.conv_general_dilated(x, weight, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias


def jax_pool(x: Any) -> Any:
    import jax

    return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def jax_lenet(params: list[Any], x: Any) -> Any:
    import jax

    relu = jax.nn.relu
    x = jax_pool(relu(jax_conv(x, params[0], params[1], "SAME")))
    x = jax_pool(relu(jax_conv(x, params[2], params[3], "VALID"))).reshape(len(x), -1)
    return relu(relu(x @ params[4] + params[5]) @ params[6] + params[7]) @ params[8] + params[9]


def jax_convnet(params: list[Any], x: Any) -> Any:
    """Return the logits; running statistics are not kept, which spares JAX a little."""
    import jax

    for index in range(4):
        weight, bias, scale, shift = params[4 * index : 4 * index + 4]
        x = jax_conv(x, weight, bias, "SAME")
        mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
        x = jax.nn.relu((x - mean) * (scale * jax.lax.rsqrt(var + 1e-5)) + shift)
        if index == 1:
            x = jax_pool(x)
    return x.mean((1, 2)) @ params[16] + params[17]


def jax_training(name: str, arrays: Arrays) -> Job:
    return jobs.JaxTraining({"lenet": jax_lenet, "convnet": jax_convnet}[name], jobs.jax_logits_loss, RATE, 0.0, arrays)
