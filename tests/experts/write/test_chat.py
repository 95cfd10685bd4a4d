"""OpenAIChat against a server on loopback that answers as servers do on a bad day."""

import http.server
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest

from catalog.errors import BadInput, EditmillError
from experts.write.chat import OpenAIChat
from experts.write.chat import client as transport
from experts.write.chat.server import NoCompletion
from tests.experts.write.chat_server import Answer, Fake, choices, message

CONVERSATION = [{"role": "user", "content": "Write an instruction."}]
KEY = "sk-very-secret"


def ask(fake: Fake, n: int = 1, batch: int = 1, **arguments: Any) -> list[list[str]]:
    chat = OpenAIChat(fake.url, "any", api_key=KEY, **{"timeout": 5, "attempts": 4, **arguments})
    return chat.complete(
        [CONVERSATION] * batch,
        [10 * i for i in range(batch)],
        n=n,
        temperature=0.7,
        max_tokens=40,
    )


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (choices("a", "b", "c"), ["a", "b"]),
        (choices("a", None), ["a", ""]),
        (choices([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "c"), ["ab", "c"]),
        (
            {
                "choices": [
                    {"index": 1, "message": {"content": "b"}},
                    {"index": 0, "message": {"content": "a"}, "finish_reason": "length"},
                ]
            },
            ["a", "b"],
        ),
        (choices("half \ud83d of a smile", ""), ["half � of a smile", ""]),
        (
            b'{"choices": [{"message": {"content": "\xe9"}}, {"message": {"content": ""}}]}',
            ["�", ""],
        ),
        (
            {"choices": [{"message": {"content": None, "refusal": "I won't."}}] * 2},
            ["", ""],
        ),
    ],
)
def test_texts_in_whatever_shape(fake: Fake, body: Any, texts: list[str]) -> None:
    fake.always(body)
    assert ask(fake, n=2) == [texts]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([choices("a")], "a list instead of a JSON object"),
        ("ok", "a str instead of a JSON object"),
        (7, "a int instead of a JSON object"),
        (b"", "answered nothing"),
        (b"<html><title>Log in</title></html>", r"a web page \(Log in\)"),
        (b'{"choices": [{"mess', "broken or no JSON"),
        (b"[" * 100_000, "broken or no JSON"),
        (b"data: {}\n\n", "broken or no JSON"),
        ({}, "holds nothing instead of choices"),
        ({"choices": []}, "an empty list instead of choices"),
        ({"choices": {"message": {}}}, "a dict instead of choices"),
        ({"choices": ["a"]}, "a str instead of a message"),
        ({"choices": [{"text": "a"}]}, "nothing instead of a message"),
        (choices(7), "a int instead of text"),
        (choices({"text": "a"}), "a dict instead of text"),
        (message(), "holds no text"),
        (message(content=None, reasoning_content="Hm …"), "all reasoning.*turn its thinking off"),
        (
            message(content=[{"type": "thinking", "thinking": "Hm"}], reasoning="Hm"),
            "all reasoning",
        ),
        (message(content=None, tool_calls=[{"function": {"name": "f"}}]), "called a tool"),
        (
            {"choices": [{"message": {"content": None}, "finish_reason": "length"}]},
            "used up before there was any text",
        ),
        ({"error": {"message": "no such model", "code": "x"}}, "answered 200: x: no such model"),
        ({"object": "error", "message": "no such model", "code": 404}, "answered 404: no such"),
    ],
)
def test_an_answer_without_texts_is_one_line_that_says_why(
    fake: Fake, body: Any, says: str
) -> None:
    fake.always(body)
    with pytest.raises(EditmillError, match=says) as caught:
        ask(fake)
    assert "\n" not in str(caught.value)
    assert f"{fake.url}/chat/completions" in str(caught.value)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(fake: Fake, status: int) -> None:
    fake.after(2, status)
    assert ask(fake) == [["Remove the car."]]
    assert len(fake.requests) == 3


def test_tries_end(fake: Fake) -> None:
    fake.always({"error": "starting"}, 503)
    with pytest.raises(EditmillError, match=r"answered 503: starting \(tried 4 times"):
        ask(fake)
    assert len(fake.requests) == 4
    with pytest.raises(EditmillError, match=r"\(tried once\)"):
        ask(fake, patience=0)


def test_an_error_with_status_200_passes_as_its_code_does(fake: Fake) -> None:
    fake.answer = lambda *_: (
        200,
        choices("a") if len(fake.requests) > 1 else {"error": {"code": 429, "message": "slow"}},
        {},
    )
    assert ask(fake) == [["a"]]


@pytest.mark.parametrize("asked", ["1", "junk", "-1"])
def test_retry_after_is_followed(fake: Fake, asked: str) -> None:
    fake.after(1, 429, Retry_After=asked)
    begun = time.monotonic()
    assert ask(fake) == [["Remove the car."]]
    assert (1 <= time.monotonic() - begun < 3) == (asked == "1")


@pytest.mark.parametrize("asked", ["3600", format_datetime(datetime(2100, 1, 1, tzinfo=UTC))])
def test_a_server_that_wants_to_be_left_alone_for_long_is(fake: Fake, asked: str) -> None:
    fake.after(1, 429, Retry_After=asked)
    with pytest.raises(NoCompletion, match=rf"Retry-After: {re.escape(asked)}"):
        ask(fake)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_final_and_quoted_without_the_key(fake: Fake, status: int) -> None:
    fake.always({"error": {"message": f"no, not with {KEY}\n" + "x" * 5000}}, status)
    with pytest.raises(EditmillError, match=rf"answered {status}: no, not with \*\*\*") as caught:
        ask(fake)
    assert KEY not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert len(fake.requests) == 1


def test_an_empty_purse_is_final(fake: Fake) -> None:
    fake.always({"error": {"code": "insufficient_quota", "message": "pay first"}}, 429)
    with pytest.raises(EditmillError, match="insufficient_quota: pay first"):
        ask(fake)
    assert len(fake.requests) == 1


def test_a_server_that_refuses_n_is_asked_one_by_one(fake: Fake) -> None:
    def answer(_: str, body: dict[str, Any]) -> Answer:
        if "n" in body:
            return 400, {"error": {"message": "n > 1 is not supported"}}, {}
        return 200, choices(str(body["seed"])), {}

    fake.answer = answer
    chat = OpenAIChat(fake.url, "any", concurrency=1)
    arguments: dict[str, Any] = {"n": 3, "temperature": 0.7, "max_tokens": 40}
    assert chat.complete([CONVERSATION], [7], **arguments) == [["7", "8", "9"]]
    assert chat.complete([CONVERSATION], [20], **arguments) == [["20", "21", "22"]]
    assert len(fake.requests) == 7  # once in vain, and never again


def test_a_server_that_ignores_n_is_asked_for_the_rest(fake: Fake) -> None:
    fake.answer = lambda _, body: (200, choices(str(body["seed"])), {})
    assert ask(fake, n=3, batch=2, concurrency=1) == [["0", "1", "2"], ["10", "11", "12"]]
    assert len(fake.requests) == 6


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 512 tokens and your request has 600 input tokens",
        "the request exceeds the available context size. try increasing it",
        "prompt is too long: 600 tokens > 512 maximum",
    ],
)
def test_a_conversation_beyond_the_context_is_one_records_failure(fake: Fake, said: str) -> None:
    fake.always({"error": {"message": said}}, 400)
    with pytest.raises(BadInput, match=r"too long.*longer context") as caught:
        ask(fake, n=3)
    assert (caught.value.reason, caught.value.final) == ("context_full", False)
    assert len(fake.requests) == 1


def test_a_redirect_is_named_and_not_followed(fake: Fake) -> None:
    fake.always(b"", 307, Location="https://user:pw@elsewhere.example/v1?token=1")
    with pytest.raises(EditmillError, match=r"redirects to https://elsewhere\.example/v1;"):
        ask(fake)


def test_an_endless_answer_is_cut(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 1 << 16)
    fake.always(b'{"choices": "' + b"x" * (1 << 18))
    with pytest.raises(EditmillError, match="beyond 0 MiB"):
        ask(fake)


@pytest.mark.parametrize("where", ["head", "body"])
def test_an_answer_that_drips_is_timed_out(fake: Fake, where: str) -> None:
    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n" + (b"\r\n" if where == "body" else b""))
        with suppress(OSError):
            for _ in range(100):
                handler.wfile.write(b"x")
                time.sleep(0.05)

    fake.always(drip)
    begun = time.monotonic()
    with pytest.raises(EditmillError, match=r"no whole answer within 0\.3 s"):
        ask(fake, timeout=0.3, attempts=2)
    assert time.monotonic() - begun < 2


def test_a_connection_closed_at_once_is_tried_again(fake: Fake) -> None:
    fake.answer = lambda *_: (
        200,
        choices("a") if len(fake.requests) > 1 else lambda handler: handler.connection.close(),
        {},
    )
    assert ask(fake) == [["a"]]


def test_one_final_error_ends_the_whole_batch(fake: Fake) -> None:
    fake.always({"error": "invalid key"}, 401)
    with pytest.raises(EditmillError, match="check the key"):
        ask(fake, batch=40, concurrency=2)
    assert len(fake.requests) < 10


@pytest.mark.parametrize(
    "address", ["localhost:8000/v1", "ftp://h/v1", "http://", "http://h:x/", "http://h:99999/v1"]
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(EditmillError, match="http://host:port/v1"):
        OpenAIChat(address, "any")


def test_a_key_that_is_none_is_not_shown() -> None:
    with pytest.raises(EditmillError, match="copy it again") as caught:
        OpenAIChat("http://127.0.0.1:1/v1", "any", api_key="sk-a\nb")
    assert "sk-a" not in str(caught.value)


def test_proxies_do_not_reach_loopback(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "socks5://127.0.0.1:9")
    fake.always(choices("a"))
    assert ask(fake) == [["a"]]
    with pytest.raises(EditmillError, match="proxy in the environment"):
        OpenAIChat("http://elsewhere.example/v1", "any").complete(
            [CONVERSATION], [1], n=1, temperature=0.7, max_tokens=4
        )


def test_versions_tell_models_apart(fake: Fake) -> None:
    models = [
        {"id": "a", "root": "org/a", "created": 1},
        {"id": "b", "root": "org/b", "created": 1},
        {"id": "c"},
    ]
    fake.answer = lambda path, _: (200, {"data": models}, {})
    versions = {OpenAIChat(fake.url, name).version for name in "abcd"}
    assert len(versions) == 4
    before = OpenAIChat(fake.url, "a").version
    models[0]["root"] = "org/a-2"
    assert OpenAIChat(fake.url, "a").version != before


def test_a_version_moves_with_the_model_and_not_with_address_or_clock(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(*_: object) -> Answer:
        entry = {
            "id": "a",
            "root": "org/a",
            "created": int(time.time()),
            "permission": [time.time()],
        }
        return 200, {"data": [entry]}, {}

    fake.answer = answer
    before = OpenAIChat(fake.url, "a").version
    assert OpenAIChat(fake.url.replace("127.0.0.1", "localhost"), "a").version == before


def test_where_a_server_tells_nothing_the_address_is_in_the_version(fake: Fake) -> None:
    one = OpenAIChat(fake.url, "a").version
    assert one == OpenAIChat(fake.url, "a").version
    assert one != OpenAIChat(fake.url.replace("127.0.0.1", "localhost"), "a").version


def _listing(fake: Fake, *failures: Answer) -> list[str]:
    """Has the server list its model after `failures`; the paths it is asked for."""
    asked: list[str] = []
    entry = {"id": "a", "root": "org/a", "created": 1}

    def answer(path: str, _: object) -> Answer:
        asked.append(path)
        if len(asked) <= len(failures):
            return failures[len(asked) - 1]
        return 200, {"data": [entry]}, {}

    fake.answer = answer
    return asked


def test_a_busy_server_is_waited_for_and_its_version_stays(fake: Fake) -> None:
    _listing(fake)
    idle = OpenAIChat(fake.url, "a").version
    asked = _listing(fake, *[(503, {"error": "loading"}, {})] * 4)
    assert OpenAIChat(fake.url, "a").version == idle
    assert asked == ["/v1/models"] * 5


@pytest.mark.parametrize("status", [503, 429, 401])
def test_without_the_servers_word_there_is_no_version(fake: Fake, status: int) -> None:
    fake.always({"error": "not now"}, status)
    chat = OpenAIChat(fake.url, "a", attempts=2)
    with pytest.raises(EditmillError, match=rf"/models: answered {status}") as raised:
        _ = chat.version
    assert "\n" not in str(raised.value)
    _listing(fake)
    assert chat.version == OpenAIChat(fake.url, "a").version


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_without_a_list_goes_by_its_address(fake: Fake, status: int) -> None:
    fake.always({"error": "no such thing"}, status)
    asked = OpenAIChat(fake.url, "a").version
    assert asked != OpenAIChat(fake.url.replace("127.0.0.1", "localhost"), "a").version


def test_making_one_asks_nobody() -> None:
    begun = time.monotonic()
    OpenAIChat("http://10.255.255.1/v1", "any").load()
    assert time.monotonic() - begun < 0.5
