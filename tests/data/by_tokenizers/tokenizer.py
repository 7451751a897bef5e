"""Write ``tokenizer.json``: a byte-level encoding as the package ``tokenizers`` (0.23) keeps it in one file.

pip install tokenizers && python tests/data/by_tokenizers/tokenizer.py

What it makes of some texts stands in ``tests/data/test_tokenizer_file.py``; this prints it.
"""

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

CORPUS = (
    "To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer the slings and arrows of outrageous"
    " fortune"
)


def main() -> None:
    """Train and write."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([CORPUS] * 3, trainer)
    tokenizer.save(str(Path(__file__).with_name("tokenizer.json")), pretty=False)
    for text in ("To be, that's the mind", "naïve façade 123  x\n y"):
        print(text, tokenizer.encode(text).ids)


if __name__ == "__main__":
    main()
