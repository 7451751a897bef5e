"""Write the folders beside this file: tiny networks with random weights, as ``transformers`` and ``torchvision`` make them.

Each has ``config.json`` and ``model.safetensors``, and ``expected.npz``: an input, what the network makes of it in double
precision, and the gradient of the sum of that times ``cotangent`` for every tensor by its name.

    pip install torch torchvision transformers safetensors && python tests/models/published/by_their_libraries.py
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch import nn
from torchvision.models import resnet, vgg
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

HERE = Path(__file__).parent
V = 23


def tokens(*shape: int) -> Any:
    """Return tokens but the first, whose vector BERT does not learn."""
    return torch.randint(1, V, shape)


@contextmanager
def in_double() -> Iterator[None]:
    """Have what is computed in single precision whatever the parameters are, such as norms and angles, computed in double."""
    single, of_tensor = torch.float32, torch.Tensor.float
    vars(torch).update(float32=torch.float64, float=torch.float64)
    torch.Tensor.float = torch.Tensor.double
    try:
        yield
    finally:
        vars(torch).update(float32=single, float=single)
        torch.Tensor.float = of_tensor


def write(name: str, model: Any, config: dict[str, Any] | None, inputs: dict[str, Any], output: Callable[[Any], Any]) -> None:
    """Write one folder, with weights that all matter."""
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with torch.no_grad():
        for one in model.parameters():
            one.add_(0.2 * torch.randn(one.shape))
        for key, one in model.named_buffers():
            if key.endswith("running_mean"):
                one.copy_(torch.randn(one.shape))
            if key.endswith("running_var"):
                one.copy_(torch.rand(one.shape) + 0.5)
            if key.endswith("num_batches_tracked"):
                one.fill_(7)
    model.eval()
    contents = {one.detach().numpy().tobytes(): key for key, one in model.named_parameters()}
    if config is None:
        model.save_pretrained(folder)
        (folder / "generation_config.json").unlink(missing_ok=True)
    else:
        save_file({key: one.contiguous() for key, one in model.state_dict().items()}, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model.double()
    with in_double():
        made = output(model(**{key: one.double() if one.is_floating_point() else one for key, one in inputs.items()}))
    cotangent = torch.randn(made.shape, dtype=torch.float64)
    (made * cotangent).sum().backward()
    kept = {f"input.{key}": one.numpy() for key, one in inputs.items()}
    kept |= {"output": made.detach().numpy(), "cotangent": cotangent.numpy()}
    written = {contents.get(one.tobytes()): key for key, one in load_file(folder / "model.safetensors").items()}  # new names
    gradients = {written[key]: one.grad.numpy() for key, one in model.named_parameters() if one.grad is not None}
    still = [key for key, one in gradients.items() if not one.any()]
    assert not still, f"{name}: gradients that are 0, and show nothing: {', '.join(still)}"
    kept |= {f"gradient.{key}": one for key, one in gradients.items()}
    np.savez_compressed(folder / "expected.npz", **kept)
    print(f"{name}: {sum(one.stat().st_size for one in folder.iterdir()):,} bytes, {len(kept)} arrays")


def logits(made: Any) -> Any:
    return made.logits


def same(made: Any) -> Any:
    return made


def small_resnet(kind: Any, counts: list[int], width: int, classes: int) -> Any:
    """Return torchvision's network with fewer channels: its own parts, made anew."""
    model = resnet.ResNet(kind, counts, num_classes=classes)
    model.inplanes = width
    model.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
    model.bn1 = nn.BatchNorm2d(width)
    for stage in range(4):
        made = model._make_layer(kind, width << stage, counts[stage], stride=2 if stage else 1)
        setattr(model, f"layer{stage + 1}", made)
    model.fc = nn.Linear((width << 3) * kind.expansion, classes)
    return model


def small_vgg(kind: str, width: int, hidden: int, classes: int) -> Any:
    """Return torchvision's network with fewer channels: its own parts, made anew."""
    letter = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}[kind.removesuffix("_bn")]
    channels: list[str | int] = [one if isinstance(one, str) else one * width // 64 for one in vgg.cfgs[letter]]
    model = vgg.VGG(vgg.make_layers(channels, kind.endswith("_bn")), classes)
    model.classifier[0] = nn.Linear(8 * width * 49, hidden)
    model.classifier[3] = nn.Linear(hidden, hidden)
    model.classifier[6] = nn.Linear(hidden, classes)
    for one in model.features:
        if isinstance(one, nn.BatchNorm2d):
            nn.init.constant_(one.bias, 3.0)  # so few channels would all be negative somewhere on the way, and nothing would pass
    return model


def write_kin_of_llama(sizes: dict[str, Any]) -> None:
    """Write Llama with biases, and those that are like it but for their attention."""
    yarn = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 8, "beta_fast": 2.0}
    models: tuple[tuple[str, Any, Any, dict[str, Any]], ...] = (
        ("llama_biased", transformers.LlamaConfig, transformers.LlamaForCausalLM, {"attention_bias": True, "mlp_bias": True}),
        ("mistral", transformers.MistralConfig, transformers.MistralForCausalLM, {"sliding_window": 4}),
        (
            "qwen2",
            transformers.Qwen2Config,
            transformers.Qwen2ForCausalLM,
            {"tie_word_embeddings": True, "use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1},
        ),
        ("qwen3", transformers.Qwen3Config, transformers.Qwen3ForCausalLM, {"head_dim": 4, "rope_parameters": yarn}),
    )
    for name, config, model, more in models:
        torch.manual_seed(0)  # each alone
        told = config(**{**sizes, "vocab_size": V, "num_key_value_heads": 2, "max_position_embeddings": 32, **more})
        with in_double():  # the frequencies of its angles
            made = model(told)
        write(name, made, None, {"input_ids": tokens(2, 9)}, logits)


def main() -> None:
    """Write all."""
    torch.manual_seed(0)
    small = {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 12}
    others: dict[str, Any] = {"tie_word_embeddings": False, "n_inner": 12, "activation_function": "relu"}
    for name, more in (("gpt2", {}), ("gpt2_untied", others)):
        config = transformers.GPT2Config(vocab_size=V, bos_token_id=0, eos_token_id=0, **{**small, **more})
        write(name, transformers.GPT2LMHeadModel(config), None, {"input_ids": tokens(2, 9)}, logits)
    sizes: dict[str, Any] = {
        "vocab_size": V, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 4,
    }  # fmt: skip
    stretched = {
        "rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8,
    }  # fmt: skip
    llamas: tuple[tuple[str, dict[str, Any]], ...] = (
        ("llama", {"num_key_value_heads": 2, "hidden_size": 16}),
        ("llama_tied", {"num_key_value_heads": 1, "tie_word_embeddings": True, "head_dim": 4, "rope_parameters": stretched}),
    )
    for name, more in llamas:
        config = transformers.LlamaConfig(**{**sizes, **more}, max_position_embeddings=32)
        with in_double():  # the frequencies of its angles
            model = transformers.LlamaForCausalLM(config)
        write(name, model, None, {"input_ids": tokens(2, 9)}, logits)
    pair = {"input_ids": tokens(2, 9), "token_type_ids": torch.randint(0, 2, (2, 9))}
    config = transformers.BertConfig(**sizes, max_position_embeddings=12)
    write("bert", transformers.BertModel(config), None, pair, lambda made: made.last_hidden_state)
    config = transformers.BertConfig(**sizes, max_position_embeddings=12, num_labels=3)
    write("bert_classifier", transformers.BertForSequenceClassification(config), None, pair, logits)
    del sizes["vocab_size"]
    config = transformers.ViTConfig(**sizes, image_size=8, patch_size=4, id2label={0: "cat", 1: "dog", 2: "owl"})
    write("vit", transformers.ViTForImageClassification(config), None, {"pixel_values": torch.randn(2, 3, 8, 8)}, logits)
    for name, kind, counts, width in (
        ("resnet18", resnet.BasicBlock, [2] * 4, 2),
        ("resnet50", resnet.Bottleneck, [3, 4, 6, 3], 1),
    ):
        if name == "resnet50":
            torch.manual_seed(54)  # where no part is 0 everywhere
        told: dict[str, Any] = {"architecture": name, "num_classes": 3, "width": width}
        write(name, small_resnet(kind, counts, width, 3), told, {"x": torch.randn(2, 3, 33, 40)}, same)
    settings = [CNBlockConfig(4, 8, 1), CNBlockConfig(8, 12, 2), CNBlockConfig(12, None, 1)]
    told = {"architecture": "convnext_tiny", "num_classes": 3, "channels": [4, 8, 12], "blocks": [1, 2, 1]}
    write("convnext", ConvNeXt(settings, num_classes=3), told, {"x": torch.randn(2, 3, 32, 48)}, same)
    for name, both in (("lstm", False), ("lstm_bidirectional", True)):
        told = {
            "model_type": "lstm",
            "input_size": 3,
            "hidden_size": 4,
            "num_layers": 2,
            "bidirectional": both,
            "batch_first": True,
        }
        arguments = {key: value for key, value in told.items() if key != "model_type"}
        write(name, nn.LSTM(**arguments), told, {"input": torch.randn(2, 5, 3)}, lambda made: made[0])
    for name, width, hidden in (("vgg11", 2, 12), ("vgg16_bn", 1, 12)):
        torch.manual_seed(0)  # where no part is 0 everywhere
        told = {"architecture": name, "num_classes": 3, "width": width, "hidden_features": hidden}
        write(name, small_vgg(name, width, hidden, 3), told, {"x": torch.randn(2, 3, 33, 70)}, same)
    write_kin_of_llama(sizes)


if __name__ == "__main__":
    main()
