"""What a served model does beside answering: bounds, batches, schemas, keys, and what it counts."""

import gzip
import json
import threading
import time
from concurrent.futures import CancelledError
from typing import Any

import pytest

from catalog.errors import EditmillError
from experts.providers.choice import choice_of, chosen
from experts.write.chat import OpenAIChat
from experts.write.chat.openai_chat import OpenAIWriter
from experts.write.chat.server import NoCompletion, RequestRefused
from experts.write.chat.structured import Answer as Shape
from experts.write.chat.structured import read
from experts.write.chat.usage import Usage
from tests.experts.write.chat_server import Answer, Fake, choices

HOW: dict[str, Any] = {"n": 1, "temperature": 0.7, "max_tokens": 40}
SCHEMA = {"title": "word", "type": "object", "properties": {"word": {"type": "string"}}}


def talk(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def said(body: dict[str, Any]) -> str:
    return str(body["messages"][-1]["content"])


def test_requests_under_way_are_bounded_over_all_threads(fake: Fake) -> None:
    def answer(_: str, body: dict[str, Any]) -> Answer:
        time.sleep(0.02)
        return 200, choices(said(body)), {}

    fake.answer = answer
    chat = OpenAIChat(fake.url, "any", concurrency=3)
    found: dict[int, list[list[str]]] = {}

    def ask(k: int) -> None:
        found[k] = chat.complete([talk(f"{k}{i}") for i in range(5)], range(5), **HOW)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chat.close()
    assert fake.most_at_once == 3
    assert found == {k: [[f"{k}{i}"] for i in range(5)] for k in range(4)}


def test_one_conversation_without_an_answer_does_not_cost_the_others(
    fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(_: str, body: dict[str, Any]) -> Answer:
        return (503, {}, {}) if said(body) == "b" else (200, choices(said(body)), {})

    fake.answer = answer
    chat = OpenAIChat(fake.url, "any", attempts=2)
    assert chat.complete([talk("a"), talk("b"), talk("c")], [0] * 3, **HOW) == [["a"], [], ["c"]]
    assert "1 of 3 questions were not answered" in caplog.text
    with pytest.raises(NoCompletion, match="answered 503"):
        chat.complete([talk("b"), talk("b")], [0] * 2, **HOW)


def test_a_refusal_ends_the_batch_even_if_others_are_answered(fake: Fake) -> None:
    fake.answer = lambda _, body: (401, {}, {}) if said(body) == "b" else (200, choices("a"), {})
    with pytest.raises(RequestRefused, match="check the key"):
        OpenAIChat(fake.url, "any").complete([talk("a"), talk("b")], [0] * 2, **HOW)


@pytest.mark.parametrize(("status", "tries"), [(425, 3), (501, 1), (505, 1)])
def test_statuses_that_openais_client_takes_otherwise(fake: Fake, status: int, tries: int) -> None:
    fake.always({}, status)
    with pytest.raises(EditmillError, match=f"answered {status}"):
        OpenAIChat(fake.url, "any", attempts=3).complete([talk("a")], [0], **HOW)
    assert len(fake.requests) == tries


def test_no_try_begins_when_patience_is_over(fake: Fake) -> None:
    fake.answer = lambda *_: (200, lambda handler: handler.connection.close(), {})
    with pytest.raises(NoCompletion, match="tried once"):
        OpenAIChat(fake.url, "any", patience=0).complete([talk("a")], [0], **HOW)
    assert len(fake.requests) == 1


def test_an_answer_that_unpacks_to_too_much_is_cut(fake: Fake) -> None:
    fake.answer = lambda *_: (200, gzip.compress(bytes(64 << 20)), {"Content-Encoding": "gzip"})
    with pytest.raises(EditmillError, match="goes beyond 8 MiB"):
        OpenAIChat(fake.url, "any").complete([talk("a")], [0], **HOW)


def test_an_encoding_that_is_a_lie_is_named_once(fake: Fake) -> None:
    fake.answer = lambda *_: (200, choices("a"), {"Content-Encoding": "gzip"})
    with pytest.raises(EditmillError, match="not encoded as it says"):
        OpenAIChat(fake.url, "any").complete([talk("a")], [0], **HOW)
    assert len(fake.requests) == 1


def test_a_schema_is_the_servers_to_keep(fake: Fake) -> None:
    fake.always(choices('{"word": "yes"}'))
    chat = OpenAIChat(fake.url, "any")
    assert chat.complete([talk("a")], [0], schema=SCHEMA, **HOW) == [['{"word": "yes"}']]
    chat.complete([talk("a")], [0], **HOW)
    constrained, plain = fake.requests
    assert constrained["response_format"]["type"] == "json_schema"
    assert constrained["response_format"]["json_schema"]["schema"] == SCHEMA
    assert "stop" not in constrained  # JSON may have line breaks
    assert "response_format" not in plain and plain["stop"] == ["\n"]


def test_a_server_without_schemas_is_told_in_words_and_that_is_said_once(
    fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(_: str, body: dict[str, Any]) -> Answer:
        if "response_format" in body:
            return 400, {"error": {"message": "response_format is not supported"}}, {}
        return 200, choices(said(body)), {}

    fake.answer = answer
    chat = OpenAIChat(fake.url, "any", concurrency=1)
    for _ in range(2):
        found = chat.complete([talk("a"), talk("b")], [0, 1], schema=SCHEMA, **HOW)
        assert all(json.dumps(SCHEMA) in text for (text,) in found)
    assert sum("response_format" in body for body in fake.requests) == 1
    assert caplog.text.count("takes no JSON schema") == 1


def test_a_refusal_for_another_reason_is_not_blamed_on_the_schema(fake: Fake) -> None:
    fake.always({"error": {"message": "temperature must be 1"}}, 400)
    chat = OpenAIChat(fake.url, "any")
    with pytest.raises(RequestRefused, match="temperature must be 1"):
        chat.complete([talk("a")], [0], schema=SCHEMA, **HOW)
    fake.always(choices("{}"))
    chat.complete([talk("a")], [0], schema=SCHEMA, **HOW)
    assert "response_format" in fake.requests[-1]


class Word(Shape):
    word: str


@pytest.mark.parametrize(
    "text",
    ['{"word": "yes"}', 'Sure!\n```json\n{\n "word": "yes"\n}\n```', ' {"word": "yes"}.'],
)
def test_json_is_found_among_words(text: str) -> None:
    assert read(text, Word) == Word(word="yes")


@pytest.mark.parametrize(
    "text", ["", "yes", "{}", '{"word": 7}', '{"word": "a", "b": 1}', '{"word": "ye', "}{"]
)
def test_other_answers_are_none(text: str) -> None:
    assert read(text, Word) is None


def test_tokens_and_cost_are_summed(fake: Fake) -> None:
    used = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    fake.answer = lambda *_: (200, {**choices("a"), "usage": used}, {})
    chat = OpenAIWriter(
        model="any",
        base_url=fake.url,
        price_per_million_input=2.0,
        price_per_million_output=10.0,
    )
    assert chat.usage() == Usage(cost=0.0)
    chat.complete([talk("a")] * 40, range(40), **HOW)
    before = chat.usage()
    assert before == Usage(40, 40_000, 2_000, pytest.approx(0.1))
    chat.complete([talk("a")], [0], **HOW)
    assert chat.usage() - before == Usage(1, 1000, 50, pytest.approx(0.0025))


@pytest.mark.parametrize("used", [None, [], {"prompt_tokens": "many"}, {"prompt_tokens": -1}])
def test_a_server_that_does_not_count_costs_nothing_known(fake: Fake, used: Any) -> None:
    fake.answer = lambda *_: (200, {**choices("a"), "usage": used}, {})
    chat = OpenAIChat(fake.url, "any")
    chat.complete([talk("a")], [0], **HOW)
    assert chat.usage() == Usage(requests=1)


def test_the_key_is_the_one_of_the_variable_that_the_recipe_names(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-usual")
    monkeypatch.setenv("LAB_KEY", "sk-lab")
    fake.always(choices("a"))
    named = {"provider": "openai", "model": "m", "base_url": fake.url}
    for more in ({}, {"api_key_variable": "LAB_KEY"}, {"api_key_variable": "NOT_SET"}):
        chat = chosen(choice_of("write", named | more), threads=2)
        chat.complete([talk("a")], [0], **HOW)
        chat.close()
    OpenAIChat(fake.url, "m").complete([talk("a")], [0], **HOW)
    sent = [headers.get("authorization") for headers in fake.headers]
    assert sent == ["Bearer sk-usual", "Bearer sk-lab", None, None]


def test_a_recipe_cannot_hold_a_key() -> None:
    with pytest.raises(ValueError, match="no option `api_key`; there are: api_key_variable"):
        choice_of("write", {"provider": "openai", "model": "m", "api_key": "sk-secret"})


def test_a_model_must_be_named() -> None:
    with pytest.raises(EditmillError, match="set the option `model`"):
        OpenAIWriter()


def test_closed_it_can_be_asked_again(fake: Fake) -> None:
    fake.always(choices("a"))
    chat = OpenAIChat(fake.url, "any")
    for _ in range(2):
        assert chat.complete([talk("a")], [0], **HOW) == [["a"]]
        chat.close()
    chat.close()


def test_closing_ends_what_is_under_way(fake: Fake) -> None:
    asked, done = threading.Event(), threading.Event()

    def answer(*_: object) -> Answer:
        asked.set()
        done.wait(5)
        return 200, choices("a"), {}

    fake.answer = answer
    chat = OpenAIChat(fake.url, "any")
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            chat.complete([talk("a")], [0], **HOW)
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert asked.wait(5)
    chat.close()
    thread.join(5)
    done.set()
    assert not thread.is_alive()
    assert isinstance(ended[0], CancelledError)
