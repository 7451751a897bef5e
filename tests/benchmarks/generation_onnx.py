"""GPT-2's step with keys and values of earlier tokens as a graph for onnxruntime, exported by torch from a published folder."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any


def export(folder: Path, file: Path) -> None:
    """Write the graph ``(ids, past_0, ...) -> (the last logits, present_0, ...)``, one pair of arrays for each layer.

    ``transformers``' own step does not pass through torch's exporter, so the step is written out with its weights; that it
    writes the same tokens shows that it is GPT-2's.
    """
    import torch
    import transformers
    from torch.nn import functional

    model = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    config = model.config

    def affine(layer: Any, x: Any) -> Any:
        return x @ layer.weight + layer.bias  # the layer's own forward fixes the number of steps

    class Step(torch.nn.Module):
        """One call for a prompt, and one for each token after it."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: Any, *past: Any) -> tuple[Any, ...]:
            body = self.model.transformer
            earlier, steps = past[0].shape[2], ids.shape[1]
            places = torch.arange(earlier, earlier + steps)
            x, present = body.wte(ids) + body.wpe(places), []
            hidden = torch.arange(earlier + steps)[None] > places[:, None]  # later than the step itself
            for index, block in enumerate(body.h):
                three = affine(block.attn.c_attn, block.ln_1(x)).chunk(3, 2)
                own = [one.unflatten(2, (config.n_head, -1)).transpose(1, 2) for one in three]
                query, key, value = own[0], *[torch.cat(pair, 2) for pair in zip(past[2 * index :][:2], own[1:], strict=True)]
                scores = query @ key.transpose(2, 3) / query.shape[3] ** 0.5
                weights = scores.masked_fill(hidden, -1e30).softmax(3)
                x = x + affine(block.attn.c_proj, (weights @ value).transpose(1, 2).flatten(2))
                up = functional.gelu(affine(block.mlp.c_fc, block.ln_2(x)), approximate="tanh")
                x = x + affine(block.mlp.c_proj, up)
                present += [key, value]
            return (self.model.lm_head(body.ln_f(x[:, -1])), *present)

    names = [f"past_{index}" for index in range(2 * config.n_layer)]
    made = [f"present_{index}" for index in range(2 * config.n_layer)]
    past = [torch.zeros(1, config.n_head, 5, config.n_embd // config.n_head) for _ in names]
    axes = {"ids": {1: "steps"}, **{name: {2: "earlier"} for name in names}, **{name: {2: "all"} for name in made}}
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the exporter without onnxscript
        torch.onnx.export(
            Step(), (torch.zeros(1, 3, dtype=torch.long), *past), str(file), input_names=["ids", *names],
            output_names=["logits", *made], dynamic_axes=axes, dynamo=False, opset_version=20,
        )  # fmt: skip
