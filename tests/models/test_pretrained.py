"""Published weights: networks of other libraries, number for number, and what is refused."""

import json
import shutil
import struct
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import funcnn as fn
from funcnn.models.pretrained.folder import labels
from funcnn.models.pretrained.safetensors_file import describe_folder
from funcnn.models.pretrained.table import Table, write_tensors
from funcnn.typing import Array

HERE = Path(__file__).parent / "published"
FOLDERS = sorted(one.name for one in HERE.iterdir() if (one / "config.json").is_file())
IMAGES = ("vit", "resnet18", "resnet50", "convnext", "vgg11", "vgg16_bn")


def expected(name: str) -> dict[str, Any]:
    with np.load(HERE / name / "expected.npz") as file:
        return {key: file[key] for key in file.files}


def inputs(name: str, kept: dict[str, Any], dtype: Any) -> Any:
    """Return the input as this library takes it: images with channels last, two inputs as a pair."""
    given = [one for key, one in kept.items() if key.startswith("input.")]
    given = [one.astype(dtype) if one.dtype.kind == "f" else one for one in given]
    if name in IMAGES:
        return given[0].transpose(0, 2, 3, 1).copy()
    return tuple(given) if len(given) > 1 else given[0]


def table_of(loaded: fn.pretrained.Pretrained) -> Table:
    from funcnn.models.pretrained.folder import _started

    return _started(loaded.config, "", fn.initializers.zeros, fn.Key(0))[0].table


def test_there_is_a_folder_of_each_kind() -> None:
    kinds = {json.loads((HERE / one / "config.json").read_text()).get("model_type", one) for one in FOLDERS}
    images = {"vit", "resnet18", "resnet50", "convnext", "vgg11", "vgg16_bn"}
    assert kinds == {"gpt2", "llama", "mistral", "qwen2", "qwen3", "bert", "lstm", *images}


@pytest.mark.parametrize(("dtype", "within"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("name", FOLDERS)
def test_a_network_gives_what_its_own_library_gives(name: str, dtype: Any, within: float) -> None:
    kept = expected(name)
    loaded = fn.pretrained.load(HERE / name, dtype=dtype)
    x = inputs(name, kept, dtype)
    made: Any = loaded.model.forward(loaded.params, loaded.state, x, fn.Eval())
    assert made.output.dtype == dtype
    np.testing.assert_allclose(made.output, kept["output"], rtol=within, atol=within * np.abs(kept["output"]).max())


@pytest.mark.parametrize(("dtype", "within"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("name", FOLDERS)
def test_gradients_are_those_of_its_own_library(name: str, dtype: Any, within: float) -> None:
    kept = expected(name)
    loaded = fn.pretrained.load(HERE / name, dtype=dtype)
    made: Any = loaded.model.forward(loaded.params, loaded.state, inputs(name, kept, dtype), fn.Eval())
    grads = loaded.model.backward(loaded.params, made.residuals, kept["cotangent"].astype(dtype)).params
    table = attrs.evolve(table_of(loaded), state=())
    ours: dict[str, Array] = {}
    for entry in table.entries:  # the gradient of a sum is that of each of its terms
        leaf = dict(fn.tree.walk((grads, ())))[entry.path]
        parts = list(entry.form.write(leaf))
        if entry.form.name == "the sum of two biases":
            parts[1] = parts[0]
        if entry.form.name == "a class token and positions":
            parts[0] = parts[1][:, :1]
        ours.update(zip(entry.names, parts, strict=True))
    theirs = {key.removeprefix("gradient."): one for key, one in kept.items() if key.startswith("gradient.")}
    if name == "bert":  # the body alone, whose names have no prefix
        ours = {key.removeprefix("bert."): one for key, one in ours.items()}
    assert set(ours) == set(theirs)
    largest = max(np.abs(one).max() for one in theirs.values())
    for key, one in theirs.items():
        assert one.any(), f"{name}: {key} is 0, and shows nothing"
        np.testing.assert_allclose(ours[key], one, rtol=within, atol=within * largest, err_msg=key)


@pytest.mark.parametrize("name", FOLDERS)
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    loaded = fn.pretrained.load(HERE / name)
    fn.pretrained.save(tmp_path / "new", loaded)
    again = fn.pretrained.load(tmp_path / "new")
    assert fn.tree.same((loaded.params, loaded.state), (again.params, again.state))
    theirs, ours = load_file(HERE / name / "model.safetensors"), load_file(tmp_path / "new" / "model.safetensors")
    table = table_of(loaded)
    summed = {key for entry in table.entries for key in entry.names if entry.form.name.startswith(("the sum", "a class"))}
    for key, one in theirs.items():
        found = ours.get(key, ours.get(f"{table.prefix}{key}"))
        if key not in summed and "pooler" not in key:
            np.testing.assert_array_equal(found, one, err_msg=key)
    assert again.config == loaded.config


def test_words_written_with_a_folder_are_those_of_the_whole_forward() -> None:
    for name in ("gpt2", "llama", "llama_tied", "llama_biased", "mistral", "qwen2", "qwen3", "gpt2_untied"):
        loaded = fn.pretrained.load(HERE / name, dtype=np.float64)
        prompt = expected(name)["input.input_ids"]
        step = fn.generation.stepwise(loaded.model)
        first, cache = step(loaded.params, loaded.state, (), prompt[:, :5])
        second, _ = step(loaded.params, loaded.state, cache, prompt[:, 5:])
        np.testing.assert_allclose(np.concatenate([first, second], 1), expected(name)["output"], rtol=0, atol=1e-10)


def test_layers_that_slide_are_those_from_one_on_where_their_types_are_not_told() -> None:
    def built(drop: str = "", **changes: object) -> Any:
        config = {key: one for key, one in json.loads((HERE / "qwen2" / "config.json").read_text()).items() if key != drop}
        return fn.pretrained.build(config | changes, fn.Key(0), weight_init=fn.initializers.zeros).model

    assert built("layer_types") == built()
    assert built("layer_types", max_window_layers=0) != built()
    assert built("layer_types", use_sliding_window=False) == built(layer_types=["full_attention"] * 2, sliding_window=None)


@pytest.mark.parametrize(
    ("name", "count"),  # of learned numbers, as torchvision's documentation has them
    [
        ("vgg11", 132_863_336), ("vgg13", 133_047_848), ("vgg16", 138_357_544), ("vgg19", 143_667_240),
        ("vgg11_bn", 132_868_840), ("vgg13_bn", 133_053_736), ("vgg16_bn", 138_365_992), ("vgg19_bn", 143_678_248),
    ],
)  # fmt: skip
def test_each_vgg_has_its_size(name: str, count: int) -> None:
    def in_no_memory(key: fn.Key, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(0.0, shape)

    made = fn.pretrained.build({"architecture": name}, fn.Key(0), weight_init=in_no_memory)
    assert fn.tree.size(made.params) == count


# --------------------------------------------------------------------------------------------------------------- bad input


def copied(folder: Path, name: str = "gpt2", config: dict[str, Any] | None = None, drop: tuple[str, ...] = ()) -> Path:
    """Return a copy of a folder whose configuration has other fields."""
    made = folder / "copy"
    shutil.copytree(HERE / name, made)
    content = {**json.loads((made / "config.json").read_text()), **(config or {})}
    (made / "config.json").write_text(json.dumps({key: one for key, one in content.items() if key not in drop}))
    return made


def changed(folder: Path, name: str = "gpt2", **tensors: Any) -> Path:
    """Return a copy of a folder whose file has other tensors; None takes one out."""
    made = copied(folder, name)
    old = load_file(made / "model.safetensors")
    given = {key.replace("__", "."): one for key, one in tensors.items()}
    new = {key: one for key, one in {**old, **given}.items() if one is not None}
    save_file(new, made / "model.safetensors")
    return made


def refusal(folder: Path) -> str:
    with pytest.raises(fn.FileError) as caught:
        fn.pretrained.load(folder)
    return str(caught.value)


def test_tensors_that_do_not_fit_are_listed_by_name(tmp_path: Path) -> None:
    said = refusal(
        changed(tmp_path, transformer__wpe__weight=None, transformer__ln_f__bias=np.zeros(9, np.float32), other=np.zeros(1))
    )
    assert "in 3 of 29 tensors" in said
    assert "transformer.wpe.weight is missing, expected [12, 8]" in said
    assert "transformer.ln_f.bias is [9], expected [8]" in said
    assert "other is not known" in said


def test_constants_that_older_versions_wrote_are_passed_over(tmp_path: Path) -> None:
    mask = np.tril(np.ones((1, 1, 12, 12), np.uint8))
    made = fn.pretrained.load(changed(tmp_path, transformer__h__0__attn__bias=mask, lm_head__weight=np.zeros((23, 8))))
    assert fn.tree.same(made.params, fn.pretrained.load(HERE / "gpt2").params)


def test_the_names_of_a_body_alone_are_known(tmp_path: Path) -> None:
    made = copied(tmp_path)
    old = load_file(made / "model.safetensors")
    save_file({key.removeprefix("transformer."): one for key, one in old.items()}, made / "model.safetensors")
    assert fn.tree.same(fn.pretrained.load(made).params, fn.pretrained.load(HERE / "gpt2").params)


def test_bert_as_it_was_published(tmp_path: Path) -> None:
    """With the names that norms had, and a part that names words."""
    made = copied(tmp_path, "bert", {"architectures": ["BertForMaskedLM"]})
    old = load_file(made / "model.safetensors")
    new = {
        f"bert.{key.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')}": one
        for key, one in old.items()
    }
    save_file({**new, "cls.predictions.bias": np.zeros(23, np.float32)}, made / "model.safetensors")
    assert fn.tree.same(fn.pretrained.load(made).params, fn.pretrained.load(HERE / "bert").params)


def test_long_lists_are_cut(tmp_path: Path) -> None:
    said = refusal(copied(tmp_path, config={"n_embd": 6}))
    assert "in 28 of 28 tensors" in said
    assert said.endswith("and 16 more")


@pytest.mark.parametrize(
    ("name", "config", "drop", "said"),
    [
        ("gpt2", {"model_type": "t5"}, (), "model_type is 't5', expected one of gpt2, llama"),
        ("gpt2", {}, ("model_type",), "model_type is None"),
        ("gpt2", {"new_thing": 3}, (), "new_thing is 3, and not known"),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, (), "scale_attn_by_inverse_layer_idx is True, supported is False"),
        ("gpt2", {}, ("n_embd",), "n_embd is missing"),
        ("gpt2", {"n_embd": "8"}, (), "n_embd is '8', expected a whole number"),
        ("gpt2", {"n_embd": True}, (), "n_embd is True, expected a whole number"),
        ("gpt2", {"n_layer": 0}, (), "n_layer is 0, expected 1 to"),
        ("gpt2", {"n_layer": 29}, (), "n_layer is 29, expected 1 to 28"),  # as many as there are tensors
        ("gpt2", {"n_embd": 2**32}, (), "n_embd is 4294967296, expected 1 to"),
        ("gpt2", {"vocab_size": 2**31, "n_embd": 2**20}, (), "config.json asks for weights of more than"),
        ("gpt2", {"n_head": 3}, (), "features"),
        ("gpt2", {"activation_function": "swoosh"}, (), "activation_function is 'swoosh', expected one of"),
        ("gpt2", {"layer_norm_epsilon": -1}, (), "layer_norm_epsilon is -1"),
        ("gpt2", {"layer_norm_epsilon": 10**400}, (), "layer_norm_epsilon is"),
        ("llama", {"rope_parameters": {"rope_theta": 10**400}}, (), "rope_theta is"),
        ("llama", {"attention_bias": 1}, (), "attention_bias is 1, expected true or false"),
        ("mistral", {"sliding_window": 0}, (), "sliding_window is 0, expected 1 to"),
        ("mistral", {"layer_types": ["full_attention"] * 2}, (), "layer_types is "),
        ("qwen2", {"layer_types": ["full_attention"]}, (), "layer_types is ['full_attention'], expected one for each of 2"),
        ("qwen2", {"use_sliding_window": False}, (), "those that slide with use_sliding_window"),
        ("qwen2", {"layer_types": ["full_attention", "chunked_attention"]}, (), "expected a list of full_attention, sliding_"),
        ("qwen2", {"max_window_layers": -1}, ("layer_types",), "max_window_layers is -1, expected at least 0"),
        ("qwen2", {"use_mrope": True}, (), "use_mrope is True, supported is False"),
        ("qwen3", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "x": 1}}, (), "and perhaps beta_fast, beta_slow"),
        ("llama", {"num_key_value_heads": 3}, (), "num_key_value_heads 3"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, (), "rope_type is 'dynamic'"),
        ("llama", {"rope_parameters": {"rope_type": "linear"}}, (), "expected ['factor']"),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": -1.0}}, (), "factor"),
        ("llama", {"rope_parameters": {"rope_theta": "10"}}, (), "rope_theta is '10'"),
        ("bert", {"architectures": ["BertForTokenClassification"]}, (), "architectures is ['BertForTokenClassification']"),
        ("vit", {"patch_size": 3}, (), "image_size is 8, expected a multiple of patch_size, 3"),
        ("resnet18", {"architecture": "resnet19"}, (), "architecture is 'resnet19', expected one of resnet18"),
        ("convnext", {"channels": [4, 8]}, (), "expected one for each stage"),
        ("vgg11", {"architecture": "vgg12"}, (), "architecture is 'vgg12', expected one of vgg11, vgg11_bn, vgg13"),
        ("lstm", {"proj_size": 2}, (), "proj_size is 2, supported is 0"),
    ],
)  # fmt: skip
def test_configurations_that_are_not_supported_are_refused(
    name: str, config: dict[str, Any], drop: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    assert said in refusal(copied(tmp_path, name, config, drop))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("gpt2", {"n_positions": 10**8}),
        ("gpt2", {"vocab_size": 10**8}),
        ("llama", {"intermediate_size": 10**8}),
        ("llama_tied", {"vocab_size": 10**8}),
        ("bert", {"intermediate_size": 10**8}),
        ("bert", {"max_position_embeddings": 10**8}),
        ("vit", {"intermediate_size": 10**8}),
        ("resnet18", {"num_classes": 10**7}),
        ("convnext", {"num_classes": 10**8}),
        ("vgg11", {"hidden_features": 10**8}),
        ("lstm", {"hidden_size": 8192}),
        ("lstm_bidirectional", {"input_size": 10**8}),
    ],
)
def test_sizes_beyond_what_the_tensors_hold_are_refused_before_they_are_made(
    name: str, config: dict[str, Any], tmp_path: Path
) -> None:
    made = copied(tmp_path, name, config)
    tracemalloc.start()
    try:
        with pytest.raises(fn.FileError, match=r"config.json asks for weights of more than .* numbers, and the tensors hold"):
            fn.pretrained.load(made)
        assert (
            tracemalloc.get_traced_memory()[1] < 250e6
        )  # the zeros of those that are made in any case, and of the network before
    finally:
        tracemalloc.stop()


def test_a_network_that_does_not_fit_in_memory_is_told() -> None:
    config = {"model_type": "gpt2", "vocab_size": 2**31, "n_embd": 2**20, "n_layer": 1, "n_head": 1, "n_positions": 2}
    with pytest.raises(fn.FileError, match="does not fit in memory"):
        fn.pretrained.build(config, fn.Key(0))


def test_halves_become_single_precision_and_that_is_said_once(tmp_path: Path) -> None:
    made = copied(tmp_path)
    old = load_file(made / "model.safetensors")
    header: dict[str, Any] = {}
    body = b""
    for key, one in old.items():  # NumPy has no bfloat16: its bytes are the upper halves
        raw = (one.view(np.uint32) >> 16).astype("<u2").tobytes() if key.endswith("weight") else one.astype("<f2").tobytes()
        kind = "BF16" if key.endswith("weight") else "F16"
        header[key] = {"dtype": kind, "shape": list(one.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(header).encode()
    (made / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    with pytest.warns(UserWarning, match=r"28 tensors of BF16 and F16 become float32") as caught:
        loaded = fn.pretrained.load(made)
    assert len(caught) == 1
    whole = fn.pretrained.load(HERE / "gpt2")
    for ours, theirs in zip(fn.tree.leaves(loaded.params), fn.tree.leaves(whole.params), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=2**-7, atol=1e-6)  # bfloat16


def test_types_that_are_not_read_are_named(tmp_path: Path) -> None:
    said = refusal(changed(tmp_path, transformer__ln_f__bias=np.zeros(8, bool)))
    assert "transformer.ln_f.bias (BOOL)" in said


def test_integers_are_no_weights_and_floats_no_counts(tmp_path: Path) -> None:
    said = refusal(changed(tmp_path / "a", transformer__ln_f__bias=np.zeros(8, np.int8)))
    assert "numbers of other types than its network: transformer.ln_f.bias (I8)" in said
    said = refusal(changed(tmp_path / "b", "resnet18", bn1__num_batches_tracked=np.array(np.nan, np.float32)))
    assert "bn1.num_batches_tracked (F32)" in said


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    made = copied(tmp_path)
    file = made / "model.safetensors"
    whole = file.read_bytes()
    huge = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    for content in (
        b"", whole[:4], whole[:100], whole[:-1], whole + b"\0", b"\xff" * 8 + whole[8:], struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", len(huge)) + huge,
    ):  # fmt: skip
        file.write_bytes(content)
        assert "no file of safetensors, or a damaged one" in refusal(made)
    for config in ("", "[" * 100_000, "[1]", "{"):
        (made / "config.json").write_text(config)
        assert "config.json" in refusal(made)
    file.unlink()
    shutil.copy(HERE / "gpt2" / "config.json", made / "config.json")
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        fn.pretrained.load(made)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        fn.pretrained.load(made / "nowhere")


def test_a_file_in_parts(tmp_path: Path) -> None:
    made = copied(tmp_path)
    old = load_file(made / "model.safetensors")
    (made / "model.safetensors").unlink()
    parts = {key: f"model-{number % 2}.safetensors" for number, key in enumerate(old)}
    for part in ("model-0.safetensors", "model-1.safetensors"):
        save_file({key: one for key, one in old.items() if parts[key] == part}, made / part)
    index = made / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": parts}))
    assert fn.tree.same(fn.pretrained.load(made).params, fn.pretrained.load(HERE / "gpt2").params)
    first = next(iter(parts))
    for places, said in (
        ({**parts, first: "../model-0.safetensors"}, "one of its own folder"),
        ({**parts, "x": "model-0.safetensors"}, "names tensors that their files do not have: x"),
        ({**parts, first: 3}, "weight_map"),
        ([], "weight_map"),
    ):
        index.write_text(json.dumps({"weight_map": places}))
        assert said in refusal(made)


def test_other_parameters_are_not_written_under_a_configuration(tmp_path: Path) -> None:
    loaded = fn.pretrained.load(HERE / "gpt2")
    other = fn.pretrained.load(HERE / "gpt2_untied")
    for wrong, said in (
        (attrs.evolve(loaded, params=other.params), "one structure"),
        (attrs.evolve(loaded, params=fn.tree.map(lambda leaf: leaf[:-1], loaded.params)), r"expected \[23, 8\]"),
    ):
        with pytest.raises(ValueError, match=said):
            fn.pretrained.save(tmp_path, wrong)
    assert list(tmp_path.iterdir()) == []


def test_names_of_classes() -> None:
    assert labels(fn.pretrained.load(HERE / "vit")) == ("cat", "dog", "owl")
    assert labels(fn.pretrained.load(HERE / "resnet18")) == ("0", "1", "2")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_network_without_weights_has_the_same_tree(name: str) -> None:
    loaded = fn.pretrained.load(HERE / name)
    made = fn.pretrained.build(loaded.config, fn.Key(0))
    for ours, theirs in zip(fn.tree.walk((made.params, made.state)), fn.tree.walk((loaded.params, loaded.state)), strict=True):
        assert (ours[0], ours[1].shape) == (theirs[0], theirs[1].shape)
    table = table_of(made)
    assert not write_tensors(table, (made.params, made.state)).keys() ^ {
        key if key.startswith((table.prefix, "lm_head", "classifier")) else table.prefix + key
        for key in describe_folder(HERE / name)
        if "pooler" not in key or "classifier" in name
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fn.pretrained.build(loaded.config, fn.Key(1), weight_init=fn.initializers.zeros)
