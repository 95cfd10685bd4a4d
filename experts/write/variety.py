"""How varied a set of instructions is."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from experts.write.checks import words_of


def distinct(texts: Iterable[str], n: int) -> float:
    """Distinct n-grams of words over all of them, 0–1 (distinct-n, Li et al. 2016); 0 for none."""
    grams = list(chain.from_iterable(_ngrams(words_of(text), n) for text in texts))
    return len(set(grams)) / len(grams) if grams else 0.0


def _ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
