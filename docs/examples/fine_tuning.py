"""Fine-tuning: a vision transformer that reads the digits 0 to 5 learns the others, from ten of each.

    python docs/examples/fine_tuning.py --folder FOLDER

The folder holds published weights of a ViT for images of 8 x 8 points; without one, a small network is trained first and
written as such a folder.  Then its head is replaced, the rest stays as it is, and low-rank corrections are learned beside its
dense layers.  The gradient of the whole is certified before, for a network of the same make and of tiny sizes.
"""

import argparse
import re
import tempfile
from typing import Any

import attrs
import numpy as np

import funcnn as fn

CONFIG = {
    "model_type": "vit",
    "architectures": ["ViTForImageClassification"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 8,
    "patch_size": 2,
    "num_channels": 1,
    "id2label": {str(digit): f"digit {digit}" for digit in range(6)},
}
TINY = {"hidden_size": 4, "num_attention_heads": 2, "intermediate_size": 6, "image_size": 4}
NEW = (6, 7, 8, 9)
LOSS = fn.softmax_cross_entropy()
DENSE = [f"[1][{block}][1][{place}]" for block in range(2) for place in (1, 3)]
LEARNED = r"\.(down|up)$|^\[5\]"


def images(digits: tuple[int, ...], key: fn.Key) -> Any:
    """Return half of the images of some digits and the other half, labelled from 0."""
    data = fn.data.digits(flat=False, dtype=np.float32)
    rows = np.flatnonzero(np.isin(data.y, digits))
    labels = np.searchsorted(digits, data.y[rows])
    return fn.data.stratified_split(key, fn.data.Dataset(data.x[rows].reshape(-1, 8, 8, 1), labels), 0.5)


def published(folder: str, epochs: int, key: fn.Key) -> None:
    """Train on the first digits, and write the folder."""
    made = fn.pretrained.build(CONFIG, key.child(0), weight_init=fn.initializers.glorot_uniform)
    train = images(tuple(range(6)), key.child(1)).train
    rate = fn.schedules.warmup_cosine(3e-3, 20, epochs * fn.data.batch_count(len(train.x), 32))
    learned = fn.fit(
        made.model, LOSS, fn.adam(rate), train.x, train.y, key=key, params=made.params,
        epochs=epochs, batch_size=32, progress=False,
    )  # fmt: skip
    fn.pretrained.save(folder, attrs.evolve(made, params=learned.params))


def with_corrections(loaded: fn.pretrained.Pretrained, rank: int, key: fn.Key) -> tuple[Any, Any]:
    """Return the network with a new head and corrections, and its parameters: the old ones, and new ones that begin at 0."""
    model = fn.replace_layer(loaded.model, "[5]", fn.dense(len(NEW), weight_init=fn.initializers.zeros))
    for path in DENSE:
        model = fn.replace_layer(model, path, fn.lora(fn.get_layer(model, path), rank, alpha=float(rank)))
    side = int(str(loaded.config["image_size"]))
    start = fn.tree.astype(model.init(key, (side, side, 1)).params, fn.tree.leaves(loaded.params)[0].dtype)
    old = {path: leaf for path, leaf in fn.tree.walk(loaded.params) if not path.startswith("[5]")}
    return model, fn.tree.rebuild(start, iter([old.get(path.replace(".inner", ""), leaf) for path, leaf in fn.tree.walk(start)]))


def certify(rank: int, key: fn.Key) -> None:
    """Raise unless the gradient of every leaf is right: of what stays as it is too, since that is no matter of the gradient."""
    tiny = fn.pretrained.build(CONFIG | TINY, key, weight_init=fn.initializers.normal(0.5))
    model, params = with_corrections(tiny, rank, key)
    generator = key.child(1).generator()
    moved = fn.tree.map(lambda leaf: leaf + generator.normal(0, 0.3, leaf.shape), params)  # from where the corrections are 0
    x = generator.normal(size=(2, 4, 4, 1))
    fn.check.check_model(model, LOSS, x, np.array([0, 3]), params=moved, state=tiny.state).raise_if_failed()


def without_corrections(loaded: fn.pretrained.Pretrained, params: Any, rank: int) -> fn.pretrained.Pretrained:
    """Return the network as it was published, its weights those of what was learned."""
    merged = {path: leaf for path, leaf in fn.tree.walk(params) if ".inner" not in path}
    for path in DENSE:
        correction: Any = fn.tree.get(params, path)
        one = fn.merge_lora(correction, alpha=float(rank))
        merged |= {f"{path}.weight": one.weight, f"{path}.bias": one.bias}
    names = {str(label): f"digit {digit}" for label, digit in enumerate(NEW)}
    leaves = iter([merged[path] for path in fn.tree.paths(loaded.params)])
    return attrs.evolve(loaded, params=fn.tree.rebuild(loaded.params, leaves), config={**loaded.config, "id2label": names})


def main(folder: str | None = None, rank: int = 4, epochs: int = 60, seed: int = 0) -> dict[str, float]:
    key = fn.Key(seed)
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            published(made, epochs // 2, key.child(0))
        loaded = fn.pretrained.load(folder or made, dtype=np.float32)
        split = images(NEW, key.child(1))
        few = np.concatenate([np.flatnonzero(split.train.y == label)[:10] for label in range(len(NEW))])
        x, y = split.train.x[few], split.train.y[few]

        certify(2, key.child(2))
        model, params = with_corrections(loaded, rank, key.child(3))
        rates = fn.partition((r"\[5\]\.", fn.adam(1e-2)), rest=fn.adam(3e-3))
        frozen = fn.freeze(lambda path, shape: re.search(LEARNED, path) is None, rates)
        learned = fn.fit(
            model, LOSS, frozen, x, y, key=key.child(4), params=params, state=loaded.state,
            epochs=epochs, batch_size=8, progress=False,
        )  # fmt: skip

        merged = without_corrections(loaded, learned.params, rank)
        fn.pretrained.save(made, merged)
        again = fn.pretrained.load(made)
    logits = fn.apply(again.model, again.params, again.state, split.test.x)
    off = float(np.abs(logits - fn.apply(model, learned.params, learned.state, split.test.x)).max())
    same = fn.tree.same(fn.tree.get(again.params, "[0]"), fn.tree.get(loaded.params, "[0]"))
    moved = sum(leaf.size for leaf in fn.tree.select(learned.params, LEARNED).values())
    accuracy = fn.metrics.accuracy(logits, split.test.y)
    print(f"{moved:,} of {fn.tree.size(params):,} parameters learn")
    print(f"accuracy {accuracy:.4f} on {len(split.test.y)} images of digits that are new, after ten of each")
    print(f"written and read again: logits differ by {off:.0e}, the first layer is {'the same' if same else 'another'}")
    return {"accuracy": accuracy, "moved": moved / fn.tree.size(params), "off": off, "same": float(same)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder")
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    main(options.folder, options.rank, seed=options.seed)
