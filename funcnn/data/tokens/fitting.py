"""Learning which pairs to join: at each step the most frequent one (Sennrich et al. 2016, arXiv:1508.07909, algorithm 1).

Pieces that occur several times are counted once, with their number.  A merge changes the pieces that have its pair, and the
counts of the pairs beside it; these are kept up to date, and in a heap, whose entries that are out of date are passed over.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from heapq import heapify, heappop, heappush
from itertools import pairwise

from funcnn.data.tokens.alphabet import pieces, to_letters
from funcnn.data.tokens.byte_pairs import BytePairEncoding, first_tokens, joined
from funcnn.data.tokens.checks import check_text
from funcnn.errors import check_count, shown

Pair = tuple[str, str]


def fit_byte_pairs(text: str, vocabulary: int, *, special: tuple[str, ...] = ()) -> BytePairEncoding:
    """Learn a byte-pair encoding from a text.

    Parameters
    ----------
    text : str
    vocabulary : int
        How many tokens there are to be, at least the 256 bytes and the special ones; fewer where no pair is left that occurs
        twice.
    special : tuple of str, optional
        Further tokens that no text is encoded as, such as ``("<|endoftext|>",)``: the last ones.

    Returns
    -------
    BytePairEncoding
        Equally frequent pairs are joined in the order of their tokens.

    Raises
    ------
    TypeError, ValueError
        When an argument is not as it should be.

    Examples
    --------
    >>> import funcnn as fn
    >>> encoding = fn.data.fit_byte_pairs("low lower lowest slow", 259)
    >>> encoding
    BytePairEncoding(259 tokens, 3 merges)
    >>> encoding.decode(encoding.encode("slowest")), len(encoding.encode("slowest"))
    ('slowest', 5)
    """
    check_text(text)
    if not isinstance(special, tuple):
        raise TypeError(f"special is {shown(special)}, expected a tuple of texts")
    for one in special:
        check_text(one, "a token of special")
    vocabulary = check_count(vocabulary, "vocabulary", 256 + len(special))
    tokens = first_tokens()
    counted = Counter(pieces(text))
    words = [list(to_letters(piece)) for piece in counted]
    merges = _merged(words, list(counted.values()), tokens, vocabulary - len(special))
    return BytePairEncoding((*tokens, *special), tuple(merges))


def _merged(words: list[list[str]], times: list[int], tokens: list[str], wanted: int) -> list[Pair]:
    """Return the merges, and append the tokens that they make.

    The heap holds pairs by their count, the largest first, and of equal counts those of the lower token numbers.
    """
    numbers = {token: number for number, token in enumerate(tokens)}
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)
    for index, word in enumerate(words):
        for pair in pairwise(word):
            counts[pair] += times[index]
            where[pair].add(index)
    heap = [(-count, numbers[pair[0]], numbers[pair[1]]) for pair, count in counts.items()]
    heapify(heap)
    merges: list[Pair] = []
    while len(tokens) < wanted and heap:
        count, left, right = heappop(heap)
        pair = (tokens[left], tokens[right])
        if -count != counts[pair]:  # it has changed since: its newer entry comes later
            continue
        if -count < 2:
            break
        merges.append(pair)
        made = pair[0] + pair[1]
        if made not in numbers:  # two pairs may make one token
            numbers[made] = len(tokens)
            tokens.append(made)
        for one in _join_everywhere(pair, words, times, counts, where):
            if counts[one] > 0:
                heappush(heap, (-counts[one], numbers[one[0]], numbers[one[1]]))
    return merges


def _join_everywhere(
    pair: Pair, words: list[list[str]], times: list[int], counts: Counter[Pair], where: defaultdict[Pair, set[int]]
) -> set[Pair]:
    """Join a pair in all words that have it, keep the counts of pairs up to date, and return those that may have changed."""
    changed: set[Pair] = set()
    for index in sorted(where.pop(pair)):
        before, after = words[index], joined(words[index], pair)
        for gone in pairwise(before):
            counts[gone] -= times[index]
        for new in pairwise(after):
            counts[new] += times[index]
            where[new].add(index)
        changed.update(pairwise(before), pairwise(after))
        words[index] = after
    return changed
