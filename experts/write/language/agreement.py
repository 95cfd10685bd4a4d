"""English that any reader trips over, whatever the edit is: articles and numbers that do not agree
with their noun, a noun without its article, a phrase said twice over, a caption with something
hanging on to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from experts.write.language.grammar import DETERMINERS, PREPOSITIONS, word_set
from experts.write.language.nouns import COCO_LABELS, article, plural

_ONES = word_set("video clip scene shot sequence film recording map drawing sketch version")
_MANY = word_set(
    "edges outlines contours boundaries lines scribbles doodles strokes sketches colors colours"
    " details frames borders videos clips scenes shots maps drawings people persons"
)
_MASS = word_set("footage art detail")

_COCO = [label for label in COCO_LABELS if " " not in label]
_SINGULAR = _ONES | {label for label in _COCO if plural(label) != label}
_PLURAL = (_MANY | {plural(label) for label in _COCO if plural(label) != label}) | word_set(
    "skis scissors"
)

_ENDS_PHRASE = PREPOSITIONS | word_set(
    "and or but so as while that which who whose showing depicting following using based guided"
    " where like also here only again look looks stay stays is are be"
)
_OWNERS = DETERMINERS | word_set("any one no another some all both what whole input given their")
_OF_MANY = word_set(
    "these those several multiple two three four five six seven eight nine ten many few both"
)
_OF_ONE = word_set("a an this each every another")

_TWICE = re.compile(
    r"\b(in|to|on|from|of) (?:the|this) (?:far )?[\w-]+ \1 (?:the|this)\b"
    r"|\b(\w+(?: \w+)+) \2\b"
)
_OF_NEUTRALS = re.compile(
    r"\bits (?:own |whole |exact )?(?:shape|outline|motion|movement|path|pose|body|edges|surface)\b"
)
_HANGS = re.compile(
    r"(?:[a-z]+ing|from|beyond|outside|past|that|which|who|based|guided|to|in|into|out)\b"
)


def disagreements(words: Sequence[str]) -> Iterator[str]:
    """The faults of lower-case words without punctuation: `article`, `wrong_agreement`,
    `repeats`."""
    for i, word in enumerate(words[:-1]):
        if word in ("a", "an") and words[i + 1] != "hed" and article(words[i + 1]) != word:
            yield "article"
        last = "" if words[i + 1] == "few" else _last_of_phrase(words, i + 1)
        if (word in _OF_ONE and last in _PLURAL) or (word in ("a", "an") and last in _MASS):
            yield "article" if word in ("a", "an") else "wrong_agreement"
        if word in _OF_MANY and last in _SINGULAR:
            yield "wrong_agreement"
    for i, word in enumerate(words[1:], 1):  # the first is the verb: "sketch the scene"
        if word in _ONES and _last_of_phrase(words, i) == word and not _is_owned(words, i):
            yield "article"
    if _TWICE.search(" ".join(words)):
        yield "repeats"


def wrong_pronoun(body: str) -> bool:
    """Whether what people or several things have is called *its*."""
    return bool(_OF_NEUTRALS.search(body))


def hangs(body: str, caption: str, *, may_go_on: bool) -> bool:
    """Whether something hangs on to the caption, as an expression, that is meant of the video:
    "two people, following the edges". Nothing may come after it but, if it `may_go_on`, a clause
    of its own."""
    for found in re.finditer(caption, body):
        rest = body[found.end() :].lstrip()
        if rest and (not may_go_on or _HANGS.match(rest)):
            return True
    return False


def _last_of_phrase(words: Sequence[str], start: int) -> str:
    """The last word of the noun phrase that goes on at `start`: its noun."""
    last = ""
    for word in words[start : start + 6]:
        if word in _ENDS_PHRASE or word in DETERMINERS or word.endswith("ly"):
            break
        last = word
        if word in _PLURAL | _MASS:
            break
    return last


def _is_owned(words: Sequence[str], noun: int) -> bool:
    """Whether a determiner or a number stands before the noun and its adjectives."""
    for word in reversed(words[max(0, noun - 6) : noun]):
        if word in _OWNERS or word in _OF_MANY:
            return True
        if word in PREPOSITIONS:
            return False
    return False
