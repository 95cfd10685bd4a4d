"""What is mended in a caption, and what its writer is told."""

import pytest

from experts.annotate.captions import prompts, wording

FIFTY = "A red car drives along a street between tall houses. " * 5


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a man riding a horse on the beach\n", "a man riding a horse on the beach"),
        ("The video shows a man on a horse.", "A man on a horse."),
        ("the video clip shows a man", "a man"),
        ("This clip depicts two dogs", "Two dogs"),
        ("a photo of a cat", "a cat"),
        ("In this video, we can see a cat", "A cat"),
        ("an image of a video game", "a video game"),
        ("a video camera on a tripod", "a video camera on a tripod"),
        ("a picture frame on a wall", "a picture frame on a wall"),
        ("a photographer takes a picture of a bird", "a photographer takes a picture of a bird"),
        ('"A cat sleeps."', "A cat sleeps."),
        ("a cat\nsleeps\n\nI hope this helps!", "a cat sleeps"),
        ("a cat\x1a\ufffd sleeps", "a cat sleeps"),
        ("", ""),
    ],
)
def test_a_caption_is_one_line_about_what_is_seen(written: str, kept: str) -> None:
    assert wording.line(written) == kept


def test_a_short_caption_ends_where_clip_stops_reading() -> None:
    long = " ".join(f"w{k}" for k in range(40)) + "."
    assert wording.short(long).split() == [f"w{k}" for k in range(wording.SHORT_WORDS)]
    assert wording.short("a dog runs.") == "a dog runs"


def test_phrases_are_bare_names() -> None:
    given = ["The Red Car", "a dog", "", "  ", "red car", "Two people.", "traffic_light", "an", "x"]
    assert wording.phrases(given, 5) == ("red car", "dog", "people", "traffic light", "x")
    assert wording.phrases(given, 2) == ("red car", "dog")


@pytest.mark.parametrize(
    ("caption", "says"),
    [
        ("a dog", "2 words instead of 3 to 25"),
        ("", "0 words"),
        ("a dog runs while the camera operator waves", "says 'the camera operator'"),
        ("perhaps a dog runs", "says 'perhaps'"),
        ("a dog runs over the grass", ""),
    ],
)
def test_a_short_captions_fault_is_named(caption: str, says: str) -> None:
    fault = wording.short_fault(caption)
    assert says in fault and bool(fault) == bool(says)


@pytest.mark.parametrize(
    ("caption", "says"),
    [
        ("A red car drives.", "4 words instead of 35 to 75"),
        (FIFTY * 2, "100 words"),
        (FIFTY + "The video ends.", "says 'The video'"),
        (FIFTY, ""),
    ],
)
def test_a_detailed_captions_fault_is_named(caption: str, says: str) -> None:
    fault = wording.detailed_fault(caption)
    assert says in fault and bool(fault) == bool(says)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), "no object"),
        (("man in a long red coat",), "more than 4 words"),
        (("car", "<car>"), "'<car>' is not a plain noun phrase"),
        (("man's hat", "t-shirt", "red car"), ""),
    ],
)
def test_the_fault_of_phrases_is_named(names: tuple[str, ...], says: str) -> None:
    fault = wording.phrases_fault(names)
    assert says in fault and bool(fault) == bool(says)


def test_the_examples_are_as_answers_must_be() -> None:
    for example in prompts.prompts()["examples"]:
        assert not wording.short_fault(wording.short(example["short"]))
        assert wording.short(example["short"]) == example["short"]
        assert not wording.detailed_fault(wording.line(example["detailed"]))
        assert wording.phrases(example["objects"], 8) == tuple(example["objects"])
        assert not wording.phrases_fault(tuple(example["objects"]))


def test_only_what_is_asked_for_is_shown() -> None:
    asked = prompts.question(("detailed", "objects"), 6)
    assert '"short"' not in asked and '"detailed"' in asked and "at most 6 things" in asked
    assert "{" not in asked.replace('{"detailed"', "")
