"""OpenAIVisionChat against a server that looks at what it is sent."""

import base64
import json
import threading
import time
from collections import Counter
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import BadInput
from experts.write.chat.server import NoCompletion
from experts.write.chat.vision.openai_vision import OpenAIVisionChat
from experts.write.chat.vision.question import Question, VisionChat, answers
from tests.experts.write.chat_server import Answer, Fake, choices


def video(frames: int = 4, height: int = 24, width: int = 32, seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (frames, 3, 4, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, height // 3, 1), width // 4, 2)


def chat(fake: Fake, **options: Any) -> OpenAIVisionChat:
    return OpenAIVisionChat(model="m", base_url=fake.url, attempts=1, timeout=5, **options)


def parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    return list(body["messages"][-1]["content"])


def pictures(body: dict[str, Any]) -> list[NDArray[np.uint8]]:
    found = []
    for part in parts(body):
        if part["type"] == "image_url":
            kind, data = part["image_url"]["url"].split(";base64,")
            assert kind in ("data:image/jpeg", "data:image/png")
            raw = np.frombuffer(base64.b64decode(data), np.uint8)
            found.append(np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR)[..., ::-1], np.uint8))
    return found


def test_it_is_a_vision_chat(fake: Fake) -> None:
    assert isinstance(chat(fake), VisionChat)


def test_png_shows_the_very_frames(fake: Fake) -> None:
    fake.always(choices("a dog"))
    frames = video()
    before = frames.copy()
    asked = [Question("What is it?", (frames,), system="Be brief.")]
    assert chat(fake, image_format="png").ask(asked, seed=7, max_tokens=9) == ["a dog"]
    (body,) = fake.requests
    assert np.array_equal(np.stack(pictures(body)), frames)
    assert np.array_equal(frames, before)
    assert parts(body)[-1] == {"type": "text", "text": "What is it?"}
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["seed"], body["max_tokens"], body["temperature"]) == (7, 9, 0.0)


def test_jpeg_is_near(fake: Fake) -> None:
    fake.always(choices("a dog"))
    frames = video()
    chat(fake).ask([Question("?", (frames,))], seed=0, max_tokens=9)
    shown = np.stack(pictures(fake.requests[0]))
    assert np.abs(shown.astype(int) - frames).mean() < 12


def test_frames_and_pixels_are_bounded(fake: Fake) -> None:
    fake.always(choices("a dog"))
    frames = (
        np.zeros((50, 48, 64, 3), np.uint8) + np.arange(50, dtype=np.uint8)[:, None, None, None]
    )
    bounded = chat(fake, max_frames=5, max_pixels=24 * 32, image_format="png")
    bounded.ask([Question("?", (frames,))], seed=0, max_tokens=9)
    shown = pictures(fake.requests[0])
    assert [each.shape for each in shown] == [(24, 32, 3)] * 5
    assert [int(each[0, 0, 0]) for each in shown] == [0, 12, 24, 37, 49]


def test_videos_are_told_apart_and_come_in_order(fake: Fake) -> None:
    fake.always(choices("the second"))
    one, other = video(2, seed=1), video(3, seed=2)
    chat(fake, image_format="png").ask([Question("?", (one, other))], seed=0, max_tokens=9)
    (body,) = fake.requests
    kinds = [part.get("text", "picture") for part in parts(body)]
    assert kinds == ["Video 1:", *["picture"] * 2, "Video 2:", *["picture"] * 3, "?"]
    assert np.array_equal(np.stack(pictures(body)), np.concatenate([one, other]))


def test_answers_come_in_the_questions_order_and_a_missing_one_is_empty(fake: Fake) -> None:
    def answer(_: str, body: dict[str, Any]) -> Answer:
        text = parts(body)[-1]["text"]
        return (500, {}, {}) if text == "b" else (200, choices(text.upper()), {})

    fake.answer = answer
    asked = [Question(text, (video(1),)) for text in "abc"]
    assert chat(fake).ask(asked, seed=0, max_tokens=9) == ["A", "", "C"]
    with pytest.raises(NoCompletion):
        chat(fake).ask(asked[1:2], seed=0, max_tokens=9)


def test_a_schema_is_kept_by_the_server_or_told(fake: Fake) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "integer"}}}

    def answer(_: str, body: dict[str, Any]) -> Answer:
        if "response_format" in body:
            return 422, {"detail": "extra fields not permitted: response_format"}, {}
        return 200, choices('{"score": 3}'), {}

    fake.answer = answer
    asked = [Question("Rate it.", (video(1),), schema=schema)]
    assert chat(fake).ask(asked, seed=0, max_tokens=9) == ['{"score": 3}']
    first, second = fake.requests
    assert first["response_format"]["json_schema"]["schema"] == schema
    assert json.dumps(schema) in parts(second)[-1]["text"]
    assert len(pictures(second)) == 1


def test_a_version_moves_with_how_frames_are_sent(fake: Fake) -> None:
    fake.always({"data": [{"id": "m", "root": "r"}]})
    options: list[dict[str, Any]] = [
        {},
        {"max_frames": 8},
        {"max_pixels": 99},
        {"image_format": "png"},
    ]
    assert len({chat(fake, **each).version for each in options}) == 4


def test_usage_is_counted(fake: Fake) -> None:
    used = {"prompt_tokens": 900, "completion_tokens": 5}
    fake.answer = lambda *_: (200, {**choices("a"), "usage": used}, {})
    model = chat(fake, price_per_million_input=1.0)
    model.ask([Question("?", (video(1),))] * 3, seed=0, max_tokens=9)
    assert model.usage().prompt_tokens == 2700
    assert model.usage().cost == pytest.approx(0.0027)


def test_what_is_under_way_is_not_asked_again_where_another_question_is_refused(
    fake: Fake,
) -> None:
    """A server goes on with a request whose client has gone: asked anew, it would have two equal
    ones at once."""
    under_way: Counter[str] = Counter()
    most: Counter[str] = Counter()
    lock = threading.Lock()

    def answer(path: str, body: dict[str, Any]) -> Answer:
        text = parts(body)[-1]["text"]
        if text == "too long":
            return 400, {"error": {"message": "the prompt is too long"}}, {}
        with lock:
            under_way[text] += 1
            most[text] = max(most[text], under_way[text])
        time.sleep(0.3)
        with lock:
            under_way[text] -= 1
        return 200, choices(f"said of {text}"), {}

    fake.answer = answer
    texts = ["a", "b", "too long", "c"]
    found = answers(chat(fake), [Question(text) for text in texts], seed=1, max_tokens=9)
    refused = found.pop(2)
    assert found == ["said of a", "said of b", "said of c"]
    assert isinstance(refused, BadInput) and refused.reason == "context_full"
    assert most == {"a": 1, "b": 1, "c": 1}
    assert len(fake.requests) == 4
    with pytest.raises(BadInput, match="too long"):
        chat(fake).ask([Question(text) for text in texts], seed=1, max_tokens=9)
