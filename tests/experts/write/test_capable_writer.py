"""The writer for a capable model, against a server that answers by a script."""

import json
from typing import Any

import pytest

from catalog.errors import EditmillError
from experts.edit.tasks import TASKS
from experts.write.capable_writer import PHRASINGS, ROUNDS, CapableWriter
from experts.write.chat.openai_chat import OpenAIWriter
from experts.write.checks import ENHANCED_WORDS, check, words_of
from experts.write.instruction import NOT_ANSWERED
from experts.write.prompts.capable import conversation, examples, facts, sections
from experts.write.request import WriteRequest
from experts.write.writer import InstructionWriter
from experts.write.writers import writer_for
from tests.experts.write.chat_server import Answer, Fake, choices

DOG = WriteRequest("object_removal", "dog", seed=1, motion="moving")
GOOD: dict[str, Any] = {
    "short": "Remove the dog.",
    "enhanced": "Remove the dog along its whole path through the meadow, rebuild the ground behind "
    "it in every frame, and leave light and camera motion exactly as they are.",
    "phrasings": ["Erase the dog from the video.", "Get rid of the dog.", "Edit out the dog."],
}


def writer(fake: Fake, **how: Any) -> CapableWriter:
    return CapableWriter(OpenAIWriter(model="m", base_url=fake.url, attempts=2, timeout=5), **how)


def script(fake: Fake, *answers: Any) -> None:
    """One answer per request, in order; the last one again and again."""

    def answer(*_: object) -> Answer:
        wanted = answers[min(len(fake.requests), len(answers)) - 1]
        return 200, choices(wanted if isinstance(wanted, str) else json.dumps(wanted)), {}

    fake.answer = answer


def overloaded(fake: Fake) -> None:
    """It has no list of models, and writes nothing."""
    busy = {"error": "overloaded"}
    fake.answer = lambda path, _: (404 if path.endswith("/models") else 503, busy, {})


def test_one_call_gives_all_texts(fake: Fake) -> None:
    script(fake, GOOD)
    (made,) = writer(fake).write([DOG])
    assert made.text == "Remove the dog."
    assert made.enhanced == GOOD["enhanced"]
    assert made.phrasings == ("Remove the dog.", *GOOD["phrasings"])
    assert (made.by, made.enhanced_by, set(made.phrasings_by)) == ("model", "model", {"model"})
    assert made.tries == ()
    assert made.model.startswith("m@")
    (body,) = fake.requests
    schema = body["response_format"]["json_schema"]["schema"]
    assert set(schema["required"]) == set(GOOD)
    assert schema["properties"]["phrasings"]["maxItems"] == PHRASINGS - 1
    assert "the dog" in body["messages"][-1]["content"]
    assert "It moves." in body["messages"][-1]["content"]


FAULTY = [
    ("short", "Remove the cat.", "wrong_object"),
    ("short", "Add a dog.", "wrong_action"),
    ("short", "Sure, here is the command: remove the dog.", "prefix"),
    ("short", "Remove the dog and the sofa.", "extra_object"),
    ("short", "Remove the dog and the shed.", "unknown_word"),
    ("enhanced", "Remove the dog.", "too_short"),
    ("enhanced", "Remove the dog" + " in each frame" * 20 + ".", "too_long"),
    (
        "enhanced",
        "Remove the dog that stands still in the scene, fill the gap with matching background "
        "and leave the rest as it is.",
        "wrong_motion",
    ),
    (
        "enhanced",
        "Remove the dog next to the car, fill the gap with matching background in every frame "
        "and leave the rest as it is.",
        "extra_object",
    ),
    (
        "enhanced",
        "Remove the dog with its brown fur, fill the gap with matching background in every frame "
        "and leave the rest as it is.",
        "wrong_reference",
    ),
]


@pytest.mark.parametrize(("part", "text", "reason"), FAULTY)
def test_a_faulty_part_is_asked_for_again_and_the_others_are_kept(
    fake: Fake, part: str, text: str, reason: str
) -> None:
    script(fake, GOOD | {part: text}, GOOD)
    (made,) = writer(fake).write([DOG])
    assert (made.text, made.enhanced) == (GOOD["short"], GOOD["enhanced"])
    assert made.tries == ((text, reason),)
    assert len(fake.requests) == 2
    *_, said, told = fake.requests[1]["messages"]
    assert json.loads(said["content"])[part] == text
    assert part in told["content"] and f'"{text}"' in told["content"]


def test_phrasings_too_few_or_twice_are_asked_for(fake: Fake) -> None:
    script(fake, GOOD | {"phrasings": ["Remove the dog."] * 2}, GOOD)
    (made,) = writer(fake).write([DOG])
    assert len(set(made.phrasings)) == PHRASINGS
    assert [reason for _, reason in made.tries] == ["duplicate"] * 2
    assert "too few" in fake.requests[1]["messages"][-1]["content"]


@pytest.mark.parametrize("part", ["short", "enhanced", "phrasings"])
def test_a_part_that_never_fits_is_a_templates(fake: Fake, part: str) -> None:
    bad = ["Remove the cat."] * 3 if part == "phrasings" else "Remove the cat."
    script(fake, GOOD | {part: bad})
    (made,) = writer(fake).write([DOG])
    assert len(fake.requests) == ROUNDS
    assert check(made.text, DOG) == ""
    assert ENHANCED_WORDS[0] <= len(words_of(made.enhanced)) <= ENHANCED_WORDS[1]
    assert made.enhanced_by == ("template" if part == "enhanced" else "model")
    assert made.by == "model"  # a phrasing that passes is a short text too
    assert made.phrasings_by.count("template") == {"short": 1, "enhanced": 0, "phrasings": 3}[part]
    assert all(check(text, DOG) == "" for text in made.phrasings)


@pytest.mark.parametrize("answer", ["I cannot do that.", "[]", '{"short": 1}', ""])
def test_no_json_falls_to_templates(fake: Fake, answer: str) -> None:
    script(fake, answer)
    (made,) = writer(fake).write([DOG])
    assert (made.by, made.enhanced_by, set(made.phrasings_by)) == (
        "template",
        "template",
        {"template"},
    )
    assert [reason for _, reason in made.tries] == ["json"] * ROUNDS


def test_fenced_json_is_read(fake: Fake) -> None:
    script(fake, f"Here it is:\n```json\n{json.dumps(GOOD, indent=1)}\n```")
    assert writer(fake).write([DOG])[0].by == "model"


def test_no_answer_is_a_template_and_the_record_says_so(
    fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    overloaded(fake)
    (made,) = writer(fake, rounds=1).write([DOG])
    assert (made.by, made.enhanced_by) == ("template", "template")
    assert made.tries == (NOT_ANSWERED,)
    assert check(made.text, DOG) == ""
    assert "overloaded" in caplog.text


def test_a_small_models_writer_does_the_same(fake: Fake) -> None:
    overloaded(fake)
    chat = OpenAIWriter(model="m", base_url=fake.url, attempts=1, structured=False)
    (made,) = InstructionWriter(chat, rounds=1).write([DOG])
    assert (made.by, made.tries) == ("template", (NOT_ANSWERED,))


@pytest.mark.parametrize("status", [401, 404])
def test_a_server_that_says_no_stops_the_build(fake: Fake, status: int) -> None:
    fake.always({"error": "no"}, status)
    with pytest.raises(EditmillError, match=f"answered {status}"):
        writer(fake).write([DOG])


def test_a_server_that_is_not_there_stops_the_build() -> None:
    chat = OpenAIWriter(model="m", base_url="http://127.0.0.1:9/v1", attempts=1)
    with pytest.raises(EditmillError, match="cannot be reached"):
        CapableWriter(chat).write([DOG])


def test_only_what_lacks_something_is_asked_again_and_order_is_kept(fake: Fake) -> None:
    cat = WriteRequest("object_removal", "cat", seed=2)

    def answer(path: str, body: dict[str, Any]) -> Answer:
        if path.endswith("/models"):
            return 404, {}, {}
        first = [m["content"] for m in body["messages"] if m["content"].startswith("Task")][-1]
        text = json.dumps(GOOD)
        return 200, choices(text.replace("dog", "cat") if "cat" in first else text), {}

    fake.answer = answer
    both = writer(fake).write([DOG, cat])
    assert [made.text for made in both] == ["Remove the dog.", "Remove the cat."]
    assert len(fake.requests) == 2
    assert writer(fake).write([cat, DOG]) == both[::-1]


@pytest.mark.parametrize("section", sections())
def test_examples_would_pass_their_own_checks(fake: Fake, section: str) -> None:
    # What the model is shown must be what is accepted, or it is taught to fail.
    for request, answer in examples(section):
        fake.requests.clear()
        script(fake, answer)
        (made,) = writer(fake).write([request])
        assert made.tries == ()
        assert {made.by, made.enhanced_by, *made.phrasings_by} == {"model"}
        assert len(fake.requests) == 1


def test_every_task_has_examples() -> None:
    assert set(TASKS) <= set(sections())


def test_prompts_of_a_task_share_all_but_the_last_message() -> None:
    one, other = (conversation(WriteRequest("object_removal", n), 3) for n in ("dog", "bus"))
    assert one[:-1] == other[:-1]
    assert one[-1] != other[-1]


def test_facts_tell_what_is_known() -> None:
    swap = WriteRequest("object_swap", "dog", other="cat on the left", motion="still")
    assert facts(swap).splitlines() == [
        "Task: object swap",
        "Replaced: the cat on the left",
        "Replacement: a dog",
        "It stands still.",
    ]


def test_the_writer_goes_with_the_model() -> None:
    for structured, kind in ((True, CapableWriter), (False, InstructionWriter)):
        assert isinstance(writer_for(OpenAIWriter(model="m", structured=structured)), kind)


def test_versions_tell_how_it_is_asked_apart(fake: Fake) -> None:
    fake.always({"data": [{"id": "m", "root": "r"}]})
    made = [writer(fake, **how).version for how in ({}, {"rounds": 1}, {"phrasings": 2})]
    assert len(set(made)) == 3
