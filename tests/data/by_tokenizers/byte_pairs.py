"""Write ``byte_pairs.json``: what the package ``tokenizers`` (0.23) learns from a text, and how it cuts and encodes some others.

pip install tokenizers && python tests/data/by_tokenizers/byte_pairs.py
"""

import json
import tempfile
from pathlib import Path

from tokenizers import ByteLevelBPETokenizer
from tokenizers.pre_tokenizers import ByteLevel

HERE = Path(__file__).parent
CORPUS = """To be, or not to be, that is the question:
Whether 'tis nobler in the mind to suffer
The slings and arrows of outrageous fortune,
Or to take arms against a sea of troubles
And by opposing end them. To die: to sleep;
No more; and by a sleep to say we end
The heart-ache and the thousand natural shocks
That flesh is heir to, 'tis a consummation
Devoutly to be wish'd. To die, to sleep;
To sleep: perchance to dream: ay, there's the rub. Été, naïveté; ñandú, 1600, 1601.
"""
TEXTS = (
    "Hello world", "I'll don't we've it's I'm you'd they're 'SHOUT'S", "  two  spaces\n\n\ttab  \n end  ",
    "1984 and 3.14, x² ½ Ⅷ ٣", "naïve café — “quotes”… déjà", "中文字符 かな 한국어 😀👩\u200d👩\u200d👧 e\u0301",
    "\u00a0nbsp\u2003em\u200bzero\x85nel\x1cfs \x1f us", "", " ", "a", "<|endoftext|>",
    "\U00010400\U0001d7d8 \U000e0041 \u0300x", "def f(x):\n    return x**2  # ok\r\n", "'s's'T 'll",
    "a\u2028b\u3000 c \u180e d\u1680 e", "\u0640\u093e\u1d2c_\u00aa", "To sleep, perchance: the thousand arrows.",
)  # fmt: skip


def main() -> None:
    """Train, encode and write."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator([CORPUS], vocab_size=300, min_frequency=2, show_progress=False)
    before = ByteLevel(add_prefix_space=False)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_model(folder)
        vocabulary = json.loads(Path(folder, "vocab.json").read_text())
        merges = Path(folder, "merges.txt").read_text()
    texts = [
        {"text": text, "pieces": [text[a:b] for _, (a, b) in before.pre_tokenize_str(text)], "tokens": tokenizer.encode(text).ids}
        for text in TEXTS
    ]
    made = {"corpus": CORPUS, "vocabulary": vocabulary, "merges": merges, "texts": texts}
    (HERE / "byte_pairs.json").write_text(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
