"""All that people's words can make of a request reads well: checked by rules that know nothing of
how it was made, and listed for readers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experts.annotate.captions.labels import caption
from experts.edit.tasks import TASKS
from experts.write.checks import check, words_of
from experts.write.language.agreement import disagreements
from experts.write.language.clauses import clause_words, enhance
from experts.write.language.nouns import COCO_LABELS, definite, indefinite, several
from experts.write.language.templates import all_from_templates
from experts.write.request import WriteRequest, in_a_sentence, shows_caption
from tests.experts.write.instruction_lists import listed, requests

GOLDEN = Path(__file__).with_name("golden") / "instructions.txt"

FAULTY = re.compile(
    r"  | ,|,,|\.\.|\b(\w+) \1\b"  # blanks, stops, stutter
    r"|\ban? (?!few )(?:\w+ )?(?:people|footage|edges|strokes|scissors|skis|outlines)\b"
    r"|\ba [aeio]\w*|\ban (?!HED)[b-df-gj-np-tv-z]\w*"
    r"|\b(?:two|three|several) (?:person|car|vehicle|bus|dog|broccoli|skis|scissors)\b"
    r"|\bpersons\b|\bsheeps\b|\bbroccolis\b"
    r"|, (?:following|using|matching|filling|showing|moving|painting|drawing)\b"
    r"|\b(in|to|on) the \w+ \2 th(?:e|is)\b"
    r"|(?:showing|of) (?:a|an|two|three|several|some) [^,.]*? (?:beyond|following|from the)\b"
    r"|\bcolou?r(?:s|ed)?\b.*\bcolour",
)
"""Whatever a reader stumbles over, as one expression."""

PEOPLE = re.compile(r"\b(?:person|people|skis|scissors)\b.*\bits\b")


def made(request: WriteRequest) -> list[str]:
    texts = all_from_templates(request)
    return texts + [enhance(text, request) for text in texts]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(0, 40, 8))
def test_no_text_of_ours_has_a_fault(task: str, seed: int) -> None:
    for request in requests(task, seed):
        for text in made(request):
            assert not FAULTY.search(text), (FAULTY.search(text), text)
            assert not (request.label and PEOPLE.search(text)), text
            assert text[0].isupper() and text.endswith("."), text


def test_the_golden_list_is_what_is_written_today() -> None:
    assert "\n".join(listed()).strip() == GOLDEN.read_text("utf-8").strip()


LABEL = st.sampled_from(COCO_LABELS)
COUNTS = st.dictionaries(LABEL, st.integers(1, 9), min_size=1, max_size=4)
DRAWN = sorted(task for task in TASKS if shows_caption(task))


@settings(max_examples=60, deadline=None)
@given(COUNTS, st.sets(LABEL, max_size=2), st.sampled_from(DRAWN), st.integers(0, 99))
def test_whatever_was_counted_makes_a_caption_that_fits_its_sentence(
    counts: dict[str, int], more: set[str], task: str, seed: int
) -> None:
    request = WriteRequest(task, caption=caption(counts, more), seed=seed)
    for text in all_from_templates(request):
        assert check(text, request) == "", text
        assert text.endswith(f"{normal(request.caption)}."), text  # nothing hangs on to it
        longer = enhance(text, request)
        if len(words_of(longer)) <= 40:
            words = clause_words(task)
            assert check(longer, request, enhanced=True, also=words) == "", longer


def normal(text: str) -> str:
    return re.sub(r"\btv(s?)\b", r"TV\1", text)


@given(LABEL, st.integers(1, 12), st.sampled_from(["", " on the left", " walking to the right"]))
def test_nouns_keep_article_and_number_whatever_follows_them(
    label: str, count: int, rest: str
) -> None:
    phrase = label + rest
    for text in (indefinite(phrase, count), definite(phrase, count), several(phrase)):
        assert text.endswith(rest)
        assert list(disagreements(words_of(f"remove {text}"))) == [], text
        assert indefinite(label, count) + rest == indefinite(phrase, count)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("article", "Create a real footage from the edges."),
        ("article", "Turn the edges into realistic clip."),
        ("article", "Turn the clip into a edge map."),
        ("article", "Extract edge map from the video."),
        ("wrong_agreement", "Mark every cars in the scene."),
        ("wrong_agreement", "Add two dog to the scene."),
        ("wrong_agreement", "Remove this people."),
        ("repeats", "Place a car in the foreground in the scene."),
        ("repeats", "Bring a person walking to the left to the scene."),
    ],
)
def test_disagreements_are_found(reason: str, text: str) -> None:
    assert next(disagreements(words_of(text))) == reason


@pytest.mark.parametrize(
    "text",
    [
        "Follow the edges to create realistic footage.",
        "Show the video as a few thick strokes.",
        "Turn the clip into an HED edge map.",
        "Sketch the film in simple strokes.",
        "Add a pair of skis to the scene.",
        "Mark each car and every one of the people.",
        "Put some broccoli into this shot.",
    ],
)
def test_and_not_where_there_are_none(text: str) -> None:
    assert list(disagreements(words_of(text))) == []


@pytest.mark.parametrize(
    ("caption", "told"),
    [
        ("A dog is running on a beach.", "a dog running on a beach"),
        ("Two people are dancing", "two people dancing"),
        ("a kitten pushing a ball", "a kitten pushing a ball"),
        ("Times Square at night", "Times Square at night"),
        ("", ""),
    ],
)
def test_another_captioners_words_go_on_after_showing(caption: str, told: str) -> None:
    assert in_a_sentence(caption) == told
