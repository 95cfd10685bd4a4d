"""What captions may look like: what is mended without a model, and what is wrong with the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable

SHORT_WORDS = 25
"""CLIP's text encoders read 77 tokens (Radford et al. 2021), two of which mark begin and end; a
word of English takes rarely more than three."""

DETAILED_WORDS = (35, 75)
"""Around the paper's 50 words (Señorita-2M): shorter leaves out what an editor must keep, longer is
mostly guessed."""

PHRASE_WORDS = 4
"""Of an object phrase: more is a description, which detectors split into several objects."""

CHATTER = re.compile(
    r"^(?:(?:here )?in )?(?:the|this|these|an?)?\s*(?:short |given |provided )?"
    r"(?:video|clip|footage|image|picture|photo|photograph|frame|scene|sequence)s?\b\s*"
    r"(?:(?:clip|sequence)\s*)?"
    r"(?:of\s|(?:is|are) (?:of|about)\s|[,:]?\s*we (?:can )?see\s|[,:]\s*|"
    r"(?:shows?|depicts?|features?|displays?|captures?|presents?|contains?|begins? with|"
    r"opens? with)\s)\s*",
    re.IGNORECASE,
)
"""How captions begin that speak of the video instead of what is in it."""

TALK = re.compile(
    r"\b(?:the (?:video|clip|footage|image|camera operator|viewer)|as an ai|i (?:can|cannot|can't)|"
    r"sorry|it (?:seems|appears) (?:that|to be)|possibly|perhaps)\b",
    re.IGNORECASE,
)
"""Anywhere in a caption: of the medium, of the model, or a guess."""

SENTENCE = re.compile(r"\b(?:is|are|was|were|has|have)\b", re.IGNORECASE)
"""In a short caption, which instructions go on with after "showing"."""

BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What decoders write where a token is half a character."""

_ARTICLE = re.compile(r"^(?:an?|the|some|several|one|two|three|his|her|their|its)(?:\s+|$)")
_NAME = re.compile(r"[a-z][a-z'’ -]*[a-z]")


def line(text: str) -> str:
    """`text` on one line without quotes around it and without talk of the video at its beginning;
    what comes after a blank line is not part of the caption."""
    first = re.split(r"\n\s*\n", text.strip())[0]
    known = "".join(c if c.isprintable() and c != BROKEN else " " for c in first)
    plain = " ".join(known.split()).strip("\"'“” ")
    said = CHATTER.sub("", plain)
    return said[:1].upper() + said[1:] if said != plain and plain[:1].isupper() else said


def short(text: str) -> str:
    """A short caption: a line of at most SHORT_WORDS words, without a full stop."""
    return " ".join(line(text).split()[:SHORT_WORDS]).rstrip(" .,;:")


def phrases(names: Iterable[str], most: int) -> tuple[str, ...]:
    """Object phrases in lower case, without articles, counts and punctuation, each once, at most
    `most` of them. Names that hold no word are dropped."""
    plain = (" ".join(name.lower().replace("_", " ").split()).strip(" .,;:\"'") for name in names)
    bare = (_ARTICLE.sub("", name) for name in plain)
    return tuple(dict.fromkeys(name for name in bare if name))[:most]


def short_fault(caption: str) -> str:
    """What is wrong with a short caption, said to its writer; empty where nothing is."""
    count = len(caption.split())
    if not 3 <= count <= SHORT_WORDS:
        return f"the short caption has {count} words instead of 3 to {SHORT_WORDS}"
    if found := SENTENCE.search(caption):
        return f"the short caption is a sentence, by its '{found[0]}', and not a noun phrase"
    return _talk("short", caption)


def detailed_fault(caption: str) -> str:
    """The same for a detailed one."""
    low, high = DETAILED_WORDS
    count = len(caption.split())
    if not low <= count <= high:
        return f"the detailed caption has {count} words instead of {low} to {high}"
    return _talk("detailed", caption)


def phrases_fault(names: tuple[str, ...]) -> str:
    """The same for object phrases."""
    if not names:
        return "no object is named"
    long = next((name for name in names if len(name.split()) > PHRASE_WORDS), "")
    if long:
        return f"the object '{long}' has more than {PHRASE_WORDS} words"
    odd = next((name for name in names if not _NAME.fullmatch(name)), "")
    return f"the object '{odd}' is not a plain noun phrase" if odd else ""


def _talk(which: str, caption: str) -> str:
    found = TALK.search(caption)
    if found is None:
        return ""
    return f"the {which} caption says '{found[0]}' instead of only what is to be seen"
