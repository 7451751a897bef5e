"""Write ``llama3.json`` and ``qwen2.json``: files like those of these networks, as the package ``tokenizers`` (0.23) keeps them.

They cut texts as those of the networks do, and are learned from a few lines.  ``cuts.json`` has what each makes of awkward texts.

pip install tokenizers && python tests/data/by_tokenizers/cuts.py
"""

import json
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

try:
    from tests.data.by_tokenizers.byte_pairs import CORPUS, TEXTS
except ModuleNotFoundError:  # run as a script
    from byte_pairs import CORPUS, TEXTS  # type: ignore[no-redef, import-not-found]  # beside it

HERE = Path(__file__).parent
WORD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CUTS = {"llama3": rf"{WORD}|\p{{N}}{{1,3}}|{SIGNS}", "qwen2": rf"{WORD}|\p{{N}}|{SIGNS}"}
MORE = (
    "1234567 12 3٣4½5 123456", "I'LL DON'T'Ve 'S '\u017f x'Re", "f(x);\r\n\r\n  y  \n z\n\n\n", "\tif (a)\n\t\treturn 0;",
    "…\n»«\n x", "_snake_case __init__", "$100, #tag @name", "e\u0301\u212b\uac00\u1100\u1161", "\x85\n\x85a\x1cb\u2028\r", "   ",
    "\n", " \n a", "a\u0300\u0301b", "sleep the sleep consummation", "sleep;\nno;\n\n",
)  # fmt: skip


def main() -> None:
    """Train, encode and write."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, expression in CUTS.items():
        tokenizer = Tokenizer(models.BPE(ignore_merges=name == "llama3"))
        split = pre_tokenizers.Split(Regex(expression), behavior="isolated", invert=False)
        level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level])
        tokenizer.decoder = decoders.ByteLevel()
        if name == "qwen2":
            tokenizer.normalizer = normalizers.NFC()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator([CORPUS, *["123456 "] * 9], trainer)
        content = json.loads(tokenizer.to_str())
        if name == "llama3":  # tokens that no merge makes any more: a piece that is one is found without
            content["model"]["merges"] = content["model"]["merges"][:40]
        tokenizer = Tokenizer.from_str(json.dumps(content))
        tokenizer.add_special_tokens(["<|begin_of_text|>", "PAD"])
        tokenizer.save(str(HERE / f"{name}.json"), pretty=False)
        found[name] = []
        for text in (*TEXTS, *MORE):
            whole = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
            pieces = [piece for piece, _ in split.pre_tokenize_str(whole)]
            found[name].append({"text": text, "pieces": pieces, "tokens": tokenizer.encode(text).ids})
    (HERE / "cuts.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
