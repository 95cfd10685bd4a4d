"""What an instruction must hold to be shown to anybody: each check answers with a machine reason.

A small model is fluent and careless: it rewords, and then it describes, chats, swaps the verb or
invents a sofa. So nothing is taken on trust: the text must open with a command of the task that
governs the right object, and every other word must be accounted for by the request or by the
language of editing (`grammar.toml`). A rejected candidate costs milliseconds; a wrong instruction
would be a wrong label in the dataset.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
from collections.abc import Iterator, Sequence

from experts.write.language.agreement import disagreements, hangs, wrong_pronoun
from experts.write.language.grammar import (
    ADVERBS,
    CHATTER,
    DANGLING,
    DETERMINERS,
    GENERAL,
    GRAMMARS,
    OPENERS,
    PLACES,
    PREPOSITIONS,
    VERBS,
    word_set,
)
from experts.write.language.nouns import COCO_LABELS, article, names, number
from experts.write.motion import contradicts_motion
from experts.write.request import SIDES, WIDTHS, WriteRequest, shows_caption

WORDS = (3, 25)
"""Fewest and most words of an instruction: a short command, not a description."""

ENHANCED_WORDS = (15, 40)
"""The same for the enhanced instruction, which also says what stays."""

PROPER = {"tv": "TV", "tvs": "TVs", "hed": "HED", "canny": "Canny", "japanese": "Japanese"}
"""Words that have capitals wherever they stand."""

_PROPER = re.compile(rf"\b(?:{'|'.join(PROPER)})\b", re.IGNORECASE)
_FIRST_PERSON = word_set("i me my mine we us our let's i'm i'll i'd we'll we're")
_COCO_WORDS = frozenset(word for c in COCO_LABELS for n in (1, 2) for word in names(c, n))

_ATTRIBUTES = word_set(
    "red orange yellow green turquoise blue purple pink brown white gray grey black golden silver"
    " leftmost rightmost closest nearest foreground large larger largest small smaller smallest big"
    " tall"
)
_SIDE = re.compile(r"\b(?:the|far) (left|right)\b")
"""By which one of several objects is told from the others, and must not be at will."""

_WIDENING = word_set("widen broaden wider sides")
_SEVERAL_BORDERS = word_set("borders edges sides margins")
_ONE_BORDER = word_set("border edge")

_SHOWING = r"\b(?:of|showing|depicting|with) "
_SEVERAL = "(?:several|multiple)"
_FOOTAGE = PLACES - word_set("frame frames picture image view background")
_STEM = 5  # letters: "sharpen" and "sharp" say the same thing
_TO_VERBS = word_set("add bring introduce")
_TO_PLACE = re.compile(rf"\bto the (?:{'|'.join(sorted(PLACES))})\b")
_GARBLED = re.compile(
    rf"\b(?:in|from|of|to|into) an? (?:{'|'.join(sorted(PLACES))})\b"
    r"|\bon (?:every|each|all|the) frames?\b"
)
_BARE = word_set("footage frame view background")  # nouns that may stand without an article


def normalise(text: str) -> str:
    """Mends what is form, not content: blanks, a bullet, the capital, the full stop."""
    text = re.sub(r"^[-*•]\s+", "", re.sub(r" +", " ", text.strip())).rstrip(" ,;")
    text = re.sub(r"!$", ".", text)
    if text and text[-1] not in ".?":
        text += "."
    text = _PROPER.sub(lambda found: PROPER[found[0].lower()], text)
    return text[:1].upper() + text[1:]


def check(
    text: str,
    request: WriteRequest,
    *,
    enhanced: bool = False,
    also: frozenset[str] = frozenset(),
    open_vocabulary: bool = False,
) -> str:
    """The first reason against a normalised text, empty if there is none.

    `enhanced` asks for the longer form's length; `also` are words allowed beside the grammar's.
    With `open_vocabulary` any word is, but for those that name an object, or an attribute of one,
    that the request does not.
    """
    limits = ENHANCED_WORDS if enhanced else WORDS
    return next(_faults(text, request, limits, also, open_vocabulary), "")


def words_of(text: str) -> list[str]:
    """Lower-case words; a hyphen or an apostrophe inside one belongs to it."""
    return re.findall(r"[a-z0-9]+(?:[-'][a-z0-9]+)*", text.lower())


def _faults(
    text: str,
    request: WriteRequest,
    limits: tuple[int, int],
    also: frozenset[str],
    open_vocabulary: bool,
) -> Iterator[str]:
    words = words_of(text)
    yield from _form(text, words, limits)
    yield from _english(words, request, may_go_on=bool(also) or open_vocabulary)
    words = list(itertools.dropwhile(lambda word: word in OPENERS, words))
    if not words:
        yield "empty"
    yield from _meaning(words, request, also)
    heads = [m for p in _heads(request) if (m := p.match(" ".join(words)))]
    if not heads:
        turned = _turned(request)
        backwards = turned and any(p.match(" ".join(words)) for p in _heads(turned))
        yield "wrong_direction" if backwards else "wrong_construction"
    tail = " ".join(words)[max(m.end() for m in heads) :].split()
    yield from _wording(words, tail, request, also, open_vocabulary)


def _form(text: str, words: list[str], limits: tuple[int, int]) -> Iterator[str]:
    if not words:
        yield "empty"
    if "\n" in text or "\r" in text:
        yield "newline"
    if not all(" " <= c <= "~" for c in text):
        yield "not_ascii"
    if re.search(r"[\"`]|(?<!\w)'|'(?!\w)", text):
        yield "quotes"
    if re.search(r"[:;<>{}\[\]()*#=|/\\_]", text):
        yield "prefix"
    if CHATTER.search(text.lower()):
        yield "chatter"
    if set(words) & _FIRST_PERSON:
        yield "first_person"
    if "?" in text:
        yield "question"
    if re.search(r"[.!]\s*\S", text):
        yield "sentences"
    if len(words) < limits[0]:
        yield "too_short"
    if len(words) > limits[1]:
        yield "too_long"
    if not text.endswith(".") or words[-1] in DANGLING or re.search(r"\W\.$", text):
        yield "cut_off"
    if text[0] != text[0].upper():
        yield "no_capital"


def _english(words: list[str], request: WriteRequest, may_go_on: bool) -> Iterator[str]:
    """Whether it reads well; what the caption itself says is not looked at."""
    body = " ".join(words)
    if request.caption and shows_caption(request.task):
        if hangs(body, _caption(request), may_go_on=may_go_on):
            yield "dangling"
        body = re.sub(_caption(request), "them", body)
    yield from disagreements(body.split())
    if request.needs_their and wrong_pronoun(body):
        yield "wrong_pronoun"


def _meaning(words: list[str], request: WriteRequest, also: frozenset[str]) -> Iterator[str]:
    """The right action on the right thing."""
    grammar = GRAMMARS[request.task]
    body = " ".join(words)
    if words[0] not in VERBS:
        yield "not_imperative"
    if words[0] not in grammar.verbs:
        yield "wrong_action"
    if set(words) & (grammar.contrary - _given(request) - also):
        yield "wrong_action"
    if request.task == "object_addition" and re.search(r"\bin(?:to)? the background", body):
        yield "wrong_place"  # nobody asked for it, and it was seldom true
    if request.task == "object_addition" and words[0] not in _TO_VERBS and _TO_PLACE.search(body):
        yield "garbled"  # "place a dog to the scene"
    if request.label:
        wanted, miscounted = (_any_of(names(request.label, n)) for n in _counts(request))
        if request.count > 1:
            wanted = rf"{wanted}|\b(?:each|every) {miscounted}"
        if not re.search(wanted, body):
            yield "wrong_number" if re.search(miscounted, body) else "wrong_object"
    if request.other and not re.search(_any_of(names(request.other)), body):
        yield "wrong_object"
    if request.style and GRAMMARS[request.task].thing_heads and not _says(words, request.style):
        yield "missing_style"
    if _contradicts_sides(body, request):
        yield "wrong_side"
    if contradicts_motion(body, request):
        yield "wrong_motion"
    shown = request.caption and shows_caption(request.task)
    if shown and not re.search(_SHOWING + _caption(request), body):
        yield "missing_caption"


def _contradicts_sides(body: str, request: WriteRequest) -> bool:
    """Whether the words of an outpainting say that the picture grows where it does not."""
    if not request.sides:
        return False
    said = set(re.sub(_caption(request), "", body).split())
    one, widens = len(request.sides) == 1, bool(WIDTHS.intersection(request.sides))
    return bool(
        said.intersection(SIDES) - set(request.sides)
        or (said & _WIDENING and not widens)
        or said & (_SEVERAL_BORDERS if one else _ONE_BORDER)
        or ("all sides" in body and len(request.sides) < len(SIDES))
    )


def _turned(request: WriteRequest) -> WriteRequest | None:
    """A swap the other way round, which must not be asked for."""
    if not request.other:
        return None
    return dataclasses.replace(request, label=request.other, other=request.label)


def _caption(request: WriteRequest) -> str:
    """The caption's words; who says "multiple people" says "several people"."""
    return re.escape(" ".join(words_of(request.caption))).replace("several", _SEVERAL)


def _says(words: list[str], phrase: str) -> bool:
    """Whether the phrase's words all occur, in order; its articles don't matter."""
    said = iter(words)
    return all(word in said for word in words_of(phrase) if word not in DETERMINERS)


def _counts(request: WriteRequest) -> tuple[int, int]:
    """The count asked for, and the other grammatical number's."""
    return (request.count, 1) if request.count > 1 else (1, 2)


def _any_of(phrases: Sequence[str]) -> str:
    return rf"\b(?:{'|'.join(map(re.escape, phrases))})\b"


def _heads_for(request: WriteRequest) -> tuple[str, ...]:
    """Which of the task's heads go with the look that is asked for, if one is."""
    grammar = GRAMMARS[request.task]
    if grammar.thing_heads and request.style_is_a_thing:
        return grammar.thing_heads + grammar.picture_heads * request.style_is_a_picture
    return grammar.heads + grammar.colour_heads * request.style_is_a_colour


@functools.lru_cache(maxsize=1024)
def _heads(request: WriteRequest) -> tuple[re.Pattern[str], ...]:
    heads = _heads_for(request)
    gaps = {
        "{style}": _style(request),
        "{caption}": _caption(request),
    }
    if request.label:
        gaps["{the}"], gaps["{a}"] = _known(request), _new(request)
    gaps["{other}"] = rf"(?:the|this|that) {_any_of(names(request.other))}"
    patterns = []
    for head in heads:
        for gap, pattern in gaps.items():
            head = head.replace(gap, pattern)
        patterns.append(re.compile(head + r"(?![\w-])"))
    return tuple(patterns)


def _style(request: WriteRequest) -> str:
    """The style's words; a thing may stand with another article or none of its own."""
    bare = re.sub(r"^(?:an?|the) ", "", " ".join(words_of(request.style)))
    return rf"(?:(?:an?|the) )?{re.escape(bare)}" if request.style_is_a_thing else re.escape(bare)


def _known(request: WriteRequest) -> str:
    """The object as something there: `the cars`, `all the cars`, `every car`."""
    one, many = (_any_of(names(request.label, n)) for n in (1, 2))
    if request.count < 2:
        return rf"(?:the|this|that) {one}"
    n = number(request.count)
    return (
        rf"(?:(?:the|these|those|both|all|all (?:of )?the|both of the|the {n}|all {n}"
        rf"|each of the|every one of the) {many}|(?:each|every) {one})"
    )


def _new(request: WriteRequest) -> str:
    """The object as something that comes: `a car`, `two cars`."""
    if request.count < 2:
        singles = [f"{article(name)} {name}" for name in names(request.label)]
        return _any_of([*singles, request.an_object, *(f"one {n}" for n in names(request.label))])
    groups = f"some|several|a few|a group of|a couple of|{number(request.count)}(?: pairs of)?"
    return rf"(?:{groups}) {_any_of(names(request.label, 2))}"


def _given(request: WriteRequest) -> set[str]:
    """Words the request itself brings."""
    phrases = [request.caption, number(request.count)]
    if "several" in request.caption:
        phrases.append("multiple")
    if GRAMMARS[request.task].thing_heads:
        phrases.append(request.style)
    if request.label:
        phrases += names(request.label, 1) + names(request.label, 2)
    if request.other:
        phrases += names(request.other)
    return {word for phrase in phrases for word in words_of(phrase)}


def _wording(
    words: list[str],
    tail: list[str],
    request: WriteRequest,
    also: frozenset[str],
    open_vocabulary: bool,
) -> Iterator[str]:
    """Every word accounted for, none stuttered."""
    given = _given(request)
    known = given | GENERAL | ADVERBS | GRAMMARS[request.task].words | also
    unknown = [w for w in tail if w not in known]
    if any(word in _COCO_WORDS for word in unknown):
        yield "extra_object"
    if open_vocabulary:
        named = set(unknown) & _ATTRIBUTES | set(_SIDE.findall(" ".join(tail))) - given
        if request.label and named:
            yield "wrong_reference"
    elif unknown:
        yield "unknown_word"
    for a, b in itertools.pairwise(words):
        if a == b or (a in DETERMINERS - {"that"} and b in DETERMINERS | PREPOSITIONS):
            yield "garbled"
        if a in PREPOSITIONS and (b in PREPOSITIONS or b in PLACES - _BARE):
            yield "garbled"
    if _GARBLED.search(" ".join(tail)):
        yield "garbled"
    asked = words_of(f"{request.label} {request.style}")
    look = _ATTRIBUTES.intersection(words_of(request.style))
    if any(words.count(word) > asked.count(word) for word in look):
        yield "repeats"  # "paint the car orange to orange"
    if also or open_vocabulary:
        return  # what stays is named in words of its own
    if sum(word in _FOOTAGE for word in words) > 1:
        yield "repeats"
    claims = [w for w in words if w not in GENERAL and w not in given and "colo" not in w]
    stems = [part[:_STEM] for word in claims for part in word.split("-")]
    if len(set(stems)) < len(stems):
        yield "repeats"
