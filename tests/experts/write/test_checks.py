"""Checks on what a model wrote: each reason is met, and good sentences are not."""

import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.records import Clip, Plan
from experts.annotate.captions.labels import caption
from experts.edit.tasks import TASKS
from experts.write.checks import check, normalise, words_of
from experts.write.language.clauses import clause_words, enhance
from experts.write.language.grammar import GENERAL, GRAMMARS, OPENERS, VERBS
from experts.write.language.nouns import COCO_LABELS, definite, indefinite, plural
from experts.write.language.templates import all_from_templates, fill, templates
from experts.write.request import SIDES, WriteRequest, request_for

REMOVE_DOG = WriteRequest("object_removal", "dog")
REMOVE_DOGS = WriteRequest("object_removal", "dog", count=2)
ADD_BUS = WriteRequest("object_addition", "bus")
CAR_FOR_BUS = WriteRequest("object_swap", "car", other="bus on the left")
BLACK_FOR_WHITE = WriteRequest("object_swap", "black car", other="white car")
CROWDED = WriteRequest("canny_to_video", caption="several cars and a bird")
GREEN_CAR = WriteRequest("local_style_transfer", "car on the left", "a dark green car", kind="car")
BRONZE_CAR = WriteRequest("local_style_transfer", "car", prompt="a bronze car")
RED_SKIES = WriteRequest("global_style_transfer", prompt="a red painting with red skies")
SKETCH = WriteRequest("global_style_transfer", prompt="a pencil sketch")
INPAINT = WriteRequest("inpainting", caption="two people and a bus")
UPWARDS = WriteRequest("outpainting", caption="a bus on the left", sides=("top",))
SIDEWAYS = WriteRequest("outpainting", caption="a bird", sides=("left", "right"))
OUTPAINT = WriteRequest("outpainting", caption="two people and a bus")
EDGES = WriteRequest("hed_detection")
CANNY = WriteRequest("canny_to_video", caption="a bird")
SCRIBBLES = WriteRequest("fake_scribble_detection")
FROM_SCRIBBLES = WriteRequest("fake_scribble_to_video", caption="a bird")
DEPTH = WriteRequest("depth_detection")
FROM_DEPTH = WriteRequest("depth_to_video", caption="a bird")


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("Remove the dog.", REMOVE_DOG),
        ("Take the dog out of this clip.", REMOVE_DOG),
        ("Please erase the dog completely from the scene.", REMOVE_DOG),
        ("Get rid of all the dogs in the video.", REMOVE_DOGS),
        ("Remove every dog.", REMOVE_DOGS),
        ("Cut out the sofa.", WriteRequest("object_removal", "couch")),
        ("Make the people vanish.", WriteRequest("object_removal", "person", count=3)),
        ("Put a bus into the scene.", ADD_BUS),
        ("Add an umbrella.", WriteRequest("object_addition", "umbrella")),
        ("Bring an umbrella to the scene.", WriteRequest("object_addition", "umbrella")),
        ("Insert two dogs into the footage.", WriteRequest("object_addition", "dog", count=2)),
        ("Replace the bus on the left with a car.", CAR_FOR_BUS),
        ("Please swap the bus on the left for a car.", CAR_FOR_BUS),
        ("Turn the bus on the left into a car.", CAR_FOR_BUS),
        ("Put a car in the place of the bus on the left.", CAR_FOR_BUS),
        ("Change the white car into a black car.", BLACK_FOR_WHITE),
        ("Make the car bronze.", BRONZE_CAR),
        ("Give the car a bronze look.", BRONZE_CAR),
        ("Turn the whole clip into a pencil sketch.", SKETCH),
        ("Turn the whole clip into a red painting with red skies.", RED_SKIES),
        (
            "Highlight the dogs in distinct colors.",
            WriteRequest("object_grounding", "dog", count=2),
        ),
        ("Inpaint the missing part of the video showing two people and a bus.", INPAINT),
        ("Follow the edges to create a video of multiple cars and a bird.", CROWDED),
        ("Paint the car on the left dark green.", GREEN_CAR),
        ("Change the color of the car on the left to dark green.", GREEN_CAR),
        ("Extract the soft edges from the video.", EDGES),
        ("Use the Canny edges to create a realistic video of a bird.", CANNY),
        ("Sketch the scene in a few thick white strokes.", SCRIBBLES),
        ("Turn the rough scribbles into a realistic video of a bird.", FROM_SCRIBBLES),
        ("Predict a dense depth map of the video.", DEPTH),
        ("Use the depth map to generate natural footage showing a bird.", FROM_DEPTH),
        ("Turn this gray clip into full color.", WriteRequest("colorization")),
        ("Bring the scene back into focus.", WriteRequest("deblur")),
        ("Increase the resolution of this video.", WriteRequest("upscaling")),
    ],
)
def test_good_instructions_pass(text: str, request_: WriteRequest) -> None:
    assert check(text, request_) == ""


@pytest.mark.parametrize(
    ("reason", "text", "request_"),
    [
        ("empty", "...", REMOVE_DOG),
        ("empty", "Please now just.", REMOVE_DOG),
        ("newline", "Remove the dog\nfrom the scene.", REMOVE_DOG),
        ("not_ascii", "Remove the dog \u2014 now.", REMOVE_DOG),
        ("quotes", 'Remove the "dog" from the scene.', REMOVE_DOG),
        ("prefix", "Answer: remove the dog.", REMOVE_DOG),
        ("chatter", "Sure, remove the dog.", REMOVE_DOG),
        ("chatter", "Remove your dog from the scene.", REMOVE_DOG),
        ("first_person", "Remove my dog from the scene.", REMOVE_DOG),
        ("question", "Remove the dog from the scene?", REMOVE_DOG),
        ("sentences", "Remove the dog. It barks.", REMOVE_DOG),
        ("too_short", "Remove dog.", REMOVE_DOG),
        ("too_long", "Remove the dog" + " from the scene" * 8 + ".", REMOVE_DOG),
        ("cut_off", "Remove the dog from the.", REMOVE_DOG),
        ("cut_off", "Remove the dog from the scene", REMOVE_DOG),
        ("no_capital", "remove the dog.", REMOVE_DOG),
        ("not_imperative", "The dog is too far away.", REMOVE_DOG),
        ("not_imperative", "Removing the dog from the scene.", REMOVE_DOG),
        ("wrong_action", "Add the dog to the scene.", REMOVE_DOG),
        ("wrong_action", "Remove the dog and add a tree.", REMOVE_DOG),
        ("wrong_action", "Remove the bus from the scene.", ADD_BUS),
        ("wrong_action", "Remove the edges.", EDGES),
        ("wrong_action", "Turn the scribbles into a realistic video.", DEPTH),
        ("wrong_action", "Convert the video into a soft scribble drawing.", SCRIBBLES),
        ("wrong_action", "Turn the Canny scribble into a video of a bird.", FROM_SCRIBBLES),
        ("wrong_object", "Remove the cat from the scene.", REMOVE_DOG),
        ("wrong_number", "Remove the dogs from the scene.", REMOVE_DOG),
        ("wrong_number", "Remove the dog from the scene.", REMOVE_DOGS),
        ("wrong_direction", "Replace the car with a bus on the left.", CAR_FOR_BUS),
        ("wrong_direction", "Turn the black car into a white car.", BLACK_FOR_WHITE),
        ("wrong_object", "Replace the bus on the left with a truck.", CAR_FOR_BUS),
        ("wrong_object", "Replace the bus with a car.", CAR_FOR_BUS),
        ("wrong_object", "Put a car into the scene.", CAR_FOR_BUS),
        ("wrong_number", "Replace the bus on the left with cars.", CAR_FOR_BUS),
        ("wrong_action", "Remove the bus on the left and add a car.", CAR_FOR_BUS),
        ("wrong_action", "Replace the bus on the left with a car, and remove it.", CAR_FOR_BUS),
        ("wrong_construction", "Replace the bus on the left for a car.", CAR_FOR_BUS),
        ("wrong_construction", "Replace a bus on the left with the car.", CAR_FOR_BUS),
        ("extra_object", "Replace the bus on the left with a car and a dog.", CAR_FOR_BUS),
        ("missing_style", "Make the car look good.", BRONZE_CAR),
        ("unknown_word", "Draw a simple sketch of the shot in black.", SCRIBBLES),
        ("garbled", "Locate the dog on every frame.", WriteRequest("object_grounding", "dog")),
        ("missing_style", "Paint the car on the left light green.", GREEN_CAR),
        ("wrong_object", "Paint the car dark green.", GREEN_CAR),
        ("missing_caption", "Create a video of two cars and a bird from the edges.", CROWDED),
        ("missing_style", "Turn the video into a pencil painting.", SKETCH),
        ("missing_caption", "Inpaint the missing part of the video showing a bus.", INPAINT),
        ("missing_caption", "Inpaint the missing part of a bus and two people.", INPAINT),
        ("missing_caption", "Extend the scene, the two people and the bus.", OUTPAINT),
        ("wrong_construction", "Cut the dog.", REMOVE_DOG),
        ("wrong_construction", "Remove the ball from the dog.", REMOVE_DOG),
        ("article", "Add an bus to the scene.", ADD_BUS),
        ("wrong_construction", "Change the car bronze.", BRONZE_CAR),
        ("wrong_construction", "Turn the video into the edges of a bird.", CANNY),
        ("wrong_construction", "Turn the scribbles into the video.", SCRIBBLES),
        ("wrong_construction", "Detect the video in depth.", DEPTH),
        ("missing_caption", "Turn the scribbles into a realistic video.", FROM_SCRIBBLES),
        ("missing_caption", "Turn the depth map into a realistic video.", FROM_DEPTH),
        ("wrong_construction", "Restore the scene from memory.", WriteRequest("deblur")),
        ("extra_object", "Remove the dog from the couch.", REMOVE_DOG),
        ("unknown_word", "Remove the dog from the garden.", REMOVE_DOG),
        ("garbled", "Remove the dog from from the scene.", REMOVE_DOG),
        ("article", "Remove the dog from scene.", REMOVE_DOG),
        ("garbled", "Remove the dog from a scene.", REMOVE_DOG),
        ("repeats", "Remove the dog from the scene in the video.", REMOVE_DOG),
        ("repeats", "Sharpen the clip so it looks sharp.", WriteRequest("deblur")),
        ("repeats", "Paint the car on the left dark green to dark green.", GREEN_CAR),
    ],
)
def test_each_fault_has_its_reason(reason: str, text: str, request_: WriteRequest) -> None:
    assert check(text, request_) == reason


def test_an_experts_prompt_does_not_loosen_the_check_of_a_task_without_a_look() -> None:
    request = WriteRequest("object_removal", "dog", prompt="Remove the dog with a garden hose")
    assert check("Remove the dog.", request) == ""
    assert check("Remove the dog from the garden.", request) == "unknown_word"


@pytest.mark.parametrize("verb", ["Place", "Put", "Insert"])
def test_what_is_put_somewhere_is_not_put_to_it(verb: str) -> None:
    assert check(f"{verb} a dog to the scene.", WriteRequest("object_addition", "dog")) == "garbled"


def test_a_dog_of_another_request_is_not_taken_on_trust() -> None:
    # The same sentence, right for one request and wrong for another.
    text = "Remove the dog from the scene."
    assert check(text, REMOVE_DOG) == ""
    assert check(text, WriteRequest("object_removal", "cat")) == "wrong_object"
    assert check(text, WriteRequest("object_addition", "dog")) == "wrong_action"


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("  remove the dog ", "Remove the dog."),
        ("- Remove  the dog!", "Remove the dog."),
        ("Remove the tv,", "Remove the TV."),
        ("", ""),
    ],
)
def test_normalise(raw: str, normal: str) -> None:
    assert normalise(raw) == normal


def test_every_task_has_grammar_templates_and_clauses() -> None:
    assert GRAMMARS.keys() == TASKS.keys()
    for task in TASKS:
        assert len(templates(WriteRequest(task))) >= 4
        assert clause_words(task)


LABELS = st.sampled_from(COCO_LABELS)
STYLES = st.sampled_from(
    [
        "bronze",
        "dark green",
        "turquoise",
        "ochre and pale blue oil-painted",
        "a pencil sketch",
        "an oil painting",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> WriteRequest:
    task = draw(st.sampled_from(sorted(TASKS)))
    label = draw(LABELS) if TASKS[task].needs_track else ""
    style = draw(STYLES) if "style" in task else ""
    counts = draw(st.dictionaries(LABELS, st.integers(1, 12), max_size=4))
    return WriteRequest(
        task, label, style, caption(counts), draw(st.integers(1, 12)) if label else 1,
        draw(st.integers(0, 2**40)), draw(LABELS) if task == "object_swap" else "",
    )  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(requests())
def test_every_template_passes_the_checks_whatever_the_label(request: WriteRequest) -> None:
    for template in templates(request):
        text = fill(template, request)
        assert check(text, request) == "", text
        longer = enhance(text, request)
        reason = check(longer, request, enhanced=True, also=clause_words(request.task))
        assert reason == "", longer


@given(
    st.one_of(
        st.text(), st.lists(st.sampled_from(sorted(OPENERS | VERBS | GENERAL))).map(" ".join)
    ),
    requests(),
)
def test_any_text_gets_an_answer(text: str, request: WriteRequest) -> None:
    assert isinstance(check(normalise(text), request), str)


@given(requests())
def test_templates_are_drawn_by_the_seed_alone(request: WriteRequest) -> None:
    assert all_from_templates(request) == all_from_templates(request)


@settings(max_examples=200)
@given(LABELS, LABELS, st.integers(1, 9))
def test_another_objects_template_never_passes(one: str, other: str, count: int) -> None:
    request = WriteRequest("object_removal", one, count=count)
    text = all_from_templates(WriteRequest("object_removal", other, count=count, seed=count))[0]
    named = set(words_of(text))
    if not any(set(name.split()) <= named for name in (one, plural(one))):
        assert check(text, request) != ""


@pytest.mark.parametrize(
    ("prompt", "label", "style"),
    [
        ("a bronze car", "car", "bronze"),
        ("It's a golden bird", "bird", "golden"),
        ("watercolor style", "", "watercolor"),
        ("a watercolor painting", "", "a watercolor painting"),
        ("a car in the style of a mosaic", "car", "a mosaic"),
        ("bronze cars", "car", "bronze"),
        ("a bronze statue of a person", "person", "a bronze statue"),
        ("an umbrella drawn like a pencil sketch", "umbrella", "a pencil sketch"),
        ("pop art with flat shapes", "", "pop art with flat shapes"),
        ("", "car", ""),
    ],
)
def test_style_is_what_the_prompt_says_beside_the_object(
    prompt: str, label: str, style: str
) -> None:
    assert WriteRequest("local_style_transfer", label, prompt).style == style


def test_style_is_found_where_the_object_is_called_by_more_than_its_kind() -> None:
    drawn = WriteRequest(
        "local_style_transfer", "person on the left", "a person drawn like a sketch", kind="person"
    )
    assert drawn.style == "a sketch"
    painted = WriteRequest("local_style_transfer", "large car", "a green car", kind="car")
    assert painted.style == "green" and painted.style_is_a_colour
    assert "Paint the large car green." in all_from_templates(painted)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_every_clause_leaves_an_enhanced_instruction_its_length(task: str) -> None:
    texts = {enhance("X.", WriteRequest(task, seed=seed)) for seed in range(400)}
    assert len(texts) >= 9
    assert {len(words_of(text)) - 1 for text in texts} <= set(range(12, 16))


@pytest.mark.parametrize(
    ("label", "count", "expected"),
    [
        ("person", 2, "two people"),
        ("umbrella", 1, "an umbrella"),
        ("bus", 3, "three buses"),
        ("knife", 2, "two knives"),
        ("wine glass", 2, "two wine glasses"),
        ("sheep", 4, "four sheep"),
        ("scissors", 1, "a pair of scissors"),
        ("broccoli", 2, "some broccoli"),
        ("car", 40, "several cars"),
        ("unicycle", 1, "a unicycle"),
        ("hourglass", 1, "an hourglass"),
    ],
)
def test_nouns(label: str, count: int, expected: str) -> None:
    assert indefinite(label, count) == expected


def test_definite() -> None:
    assert [definite("dog"), definite("dog", 2)] == ["the dog", "the dogs"]


def test_captions_say_what_was_counted() -> None:
    assert caption({"bus": 1, "person": 2}) == "two people and a bus"
    assert caption({"car": 1, "bus": 1, "bird": 5}) == "several birds, a bus and a car"
    assert caption({"person": 2, "bus": 1}, {"person"}) == "people and a bus"
    assert caption({"car": 0}) == caption({}) == ""
    assert caption({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}).count(",") == 2


@pytest.mark.parametrize(
    ("text", "request_", "wrong"),
    [
        ("Extend the top edge of the video showing a bus on the left.", UPWARDS, False),
        ("Expand the frame of the video showing a bus on the left.", UPWARDS, False),
        ("Widen the view of the video showing a bus on the left.", UPWARDS, True),
        ("Extend the left edge of the video showing a bus on the left.", UPWARDS, True),
        ("Fill in the black borders of the video showing a bus on the left.", UPWARDS, True),
        ("Widen the view of the clip showing a bird.", SIDEWAYS, False),
        ("Fill in the black border of the clip showing a bird.", SIDEWAYS, True),
        ("Widen the view of the clip showing two people and a bus.", OUTPAINT, False),
    ],
)
def test_an_outpainting_grows_where_it_is_said_to(text: str, request_: WriteRequest, wrong: bool):
    assert check(text, request_) == ("wrong_side" if wrong else "")


@pytest.mark.parametrize("count", range(1, 5))
def test_every_template_of_an_outpainting_agrees_with_its_sides(count: int):
    for sides in itertools.combinations(SIDES, count):
        request = WriteRequest("outpainting", caption="a bird on the left", sides=sides)
        texts = [fill(template, request) for template in templates(request)]
        assert [check(text, request) for text in texts] == [""] * len(texts), texts
        assert any("Widen" in text for text in texts) == bool({"left", "right"} & {*sides})


def test_borders_are_told_to_the_writer():
    plan = Plan(*["p", "c", "outpainting", "border", "", "", "", 1, "", "", "", 0, 0, 33],
                [0, 0, 8, 8], 8, 8)  # fmt: skip
    clip = Clip("c", "s", "", "", "", 0, 33, 25.0, 8, 8)
    info = {"top": 0, "bottom": 3, "left": 2, "right": 0}
    assert request_for(plan, clip, None, info).sides == ("bottom", "left")
    assert request_for(dataclasses.replace(plan, task="deblur"), clip, None, info).sides == ()
