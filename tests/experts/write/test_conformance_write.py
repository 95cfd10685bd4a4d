"""What every provider of the slot `write` promises: see `ChatBackend`."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from experts.base import Model
from experts.providers import provider, providers
from experts.write.chat.models import ChatBackend, LlamaCppChat
from experts.write.chat.openai_chat import OpenAIWriter
from tests.experts.model_lifecycle import check_lifecycle
from tests.experts.write.chat_server import Answer, Fake, choices

SCHEMA = {
    "type": "object",
    "properties": {"sure": {"type": "boolean"}},
    "required": ["sure"],
    "additionalProperties": False,
}
TALKS = [
    [{"role": "system", "content": "Answer in a word."}, {"role": "user", "content": text}]
    for text in ("A color?", "A number?", "An animal?")
]
SEEDS = [3, 1, 2]
HOW: dict[str, Any] = {"n": 2, "temperature": 0.8, "max_tokens": 12}
BRIEF = HOW | {"max_tokens": 4}  # where it does not matter what is said


def served(fake: Fake) -> OpenAIWriter:
    def answer(path: str, body: dict[str, Any]) -> Answer:
        if path.endswith("/models"):
            return 200, {"data": [{"id": "m", "root": "org/m"}]}, {}
        said = '{"sure": true}' if "response_format" in body else body["messages"][-1]["content"]
        texts = [f"{said} {body['seed'] + k}" for k in range(body.get("n", 1))]
        if "response_format" in body:
            texts = [said] * body.get("n", 1)
        used = {"prompt_tokens": 9, "completion_tokens": 4}
        return 200, {**choices(*texts), "usage": used}, {}

    fake.answer = answer
    return OpenAIWriter(model="m", base_url=fake.url)


@pytest.fixture(
    params=[
        "openai",
        pytest.param("smollm2", marks=pytest.mark.weights),
        pytest.param("openai on llama.cpp", marks=pytest.mark.weights),
    ]
)
def chat(
    request: pytest.FixtureRequest, fake: Fake, llama: Callable[[], LlamaCppChat]
) -> Iterator[ChatBackend]:
    if request.param == "openai":
        made: ChatBackend = served(fake)
    elif request.param == "smollm2":
        made = llama()
    else:
        # One at a time: llama.cpp's batches change the last bits, and so, at times, a word.
        made = OpenAIWriter(model="m", base_url=llama().address + "/v1", concurrency=1)
    yield made
    if isinstance(made, OpenAIWriter):
        made.close()


@pytest.fixture(scope="module")
def llama() -> Iterator[Callable[[], LlamaCppChat]]:
    made: list[LlamaCppChat] = []

    def loaded() -> LlamaCppChat:
        if not made:
            made.append(LlamaCppChat())
            made[0].load()
        return made[0]

    yield loaded
    for each in made:
        each.close()


def test_every_provider_is_tested() -> None:
    kinds = {provider("write", name).kind() for name in providers("write")}
    assert kinds == {OpenAIWriter, LlamaCppChat}


def test_it_is_a_model_with_a_steady_version(chat: ChatBackend) -> None:
    assert isinstance(chat, Model)
    assert chat.name and chat.version == chat.version
    chat.load()
    chat.load()
    assert isinstance(chat.structured, bool)


def test_the_lifecycle_of_a_server(fake: Fake) -> None:
    check_lifecycle(lambda: served(fake), answered)


@pytest.mark.weights
def test_the_lifecycle_of_the_embedded_model() -> None:
    check_lifecycle(LlamaCppChat, answered)


def answered(chat: ChatBackend) -> list[list[str]]:
    return chat.complete(TALKS[:1], SEEDS[:1], **HOW)


def test_n_texts_per_conversation_in_their_order(chat: ChatBackend) -> None:
    given = copy.deepcopy(TALKS)
    together = chat.complete(TALKS, SEEDS, **BRIEF)
    assert given == TALKS
    assert [len(texts) for texts in together] == [2, 2, 2]
    assert all(isinstance(text, str) for texts in together for text in texts)
    assert chat.complete([], [], **BRIEF) == []


def test_equal_questions_have_equal_answers(chat: ChatBackend) -> None:
    how = HOW | {"n": 1, "temperature": 0.0}
    first = chat.complete(TALKS, SEEDS, **how)
    assert chat.complete(TALKS[::-1], SEEDS[::-1], **how) == first[::-1]


def test_a_schema_is_followed(chat: ChatBackend) -> None:
    ((text,),) = chat.complete(TALKS[:1], [0], schema=SCHEMA, **HOW | {"n": 1, "max_tokens": 40})
    assert isinstance(json.loads(text)["sure"], bool)


def test_usage_grows(chat: ChatBackend) -> None:
    before = chat.usage()
    chat.complete(TALKS, SEEDS, **BRIEF)
    used = chat.usage() - before
    assert used.requests >= 3
    assert used.prompt_tokens > 0 and used.completion_tokens > 0
