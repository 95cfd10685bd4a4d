"""What a captioner makes of a model's answers: a scripted model behind `VisionChat`."""

import base64
import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from catalog.errors import BadInput, EditmillError
from experts.annotate.captions import prompts
from experts.annotate.captions.blip2 import Blip2Captions
from experts.annotate.captions.description import Description
from experts.annotate.captions.vlm import VisionCaptioner, VlmCaptions
from experts.providers import Choice
from experts.providers.choice import choice_of
from experts.write.chat.vision.question import Question, VisionChat
from experts.write.chat.vision.shown import shown
from tests.checkpoints import blip2

GOOD = prompts.prompts()["examples"][0]
CLIPS = [np.full((20, 90, 160, 3), level, np.uint8) for level in (10, 20, 30)]


class Scripted:
    """Answers by a function of the question; keeps what it was asked."""

    name = "scripted"
    version = "1"

    def __init__(self, answer: Callable[[Question], str]) -> None:
        self.answer = answer
        self.calls: list[list[Question]] = []
        self.seeds: list[int] = []

    def load(self) -> None: ...

    def close(self) -> None: ...

    def ask(self, questions: Sequence[Question], *, seed: int, max_tokens: int) -> list[str]:
        self.calls.append(list(questions))
        self.seeds.append(seed)
        return [self.answer(question) for question in questions]


def level(question: Question) -> int:
    return int(question.videos[0].flat[0])


def good(**changes: object) -> str:
    return json.dumps({**GOOD, **changes})


def test_one_question_per_clip_with_bounded_frames() -> None:
    chat = Scripted(lambda question: good())
    assert isinstance(chat, VisionChat)
    described = VisionCaptioner(chat, frames=4, max_pixels=80 * 45).describe(CLIPS)
    short, detailed, objects = GOOD["short"], GOOD["detailed"], tuple(GOOD["objects"])
    assert described == [Description(short, " ".join(detailed.split()), objects)] * 3
    (asked,) = chat.calls
    assert [q.videos[0].shape for q in asked] == [(4, 45, 80, 3)] * 3
    assert [level(q) for q in asked] == [10, 20, 30]
    assert all(q.schema["required"] == ["short", "detailed", "objects"] for q in asked)


def test_what_needs_no_model_is_mended_without_asking() -> None:
    chat = Scripted(
        lambda question: (
            "```json\n"
            + good(
                short="The video shows a dog on a lawn.", objects=["The Dog", "a dog", "", "Lawn"]
            )
            + "\n```"
        )
    )
    (told,) = VisionCaptioner(chat).describe(CLIPS[:1])
    assert told.short == "A dog on a lawn" and told.phrases == ("dog", "lawn")
    assert len(chat.calls) == 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("I cannot see any frames.", "not a JSON object"),
        ('{"short": "a dog runs fast", "detailed": "A', "not a JSON object"),
        ("[1, 2]", "not a JSON object"),
        ('{"short": "a dog runs"}', "'detailed' is missing"),
        (good(detailed=["a", "b"]), "not a JSON object"),
        (good(objects="dog"), "'objects' is not a list of strings"),
        (good(objects=[1]), "'objects' is not a list of strings"),
        (good(objects=["", "the "]), "no object is named"),
        (good(detailed="A dog."), "has 2 words instead of 35 to 75"),
        (good(short="dog"), "has 1 words instead of 3 to 25"),
        (good(detailed=GOOD["detailed"] + " The video ends."), "says 'The video'"),
    ],
)
def test_a_faulty_answer_is_asked_for_again_with_its_fault(answer: str, fault: str) -> None:
    chat = Scripted(
        lambda q: answer if level(q) == 20 and "cannot be used" not in q.text else good()
    )
    described = VisionCaptioner(chat, seed=7).describe(CLIPS)
    assert all(isinstance(each, Description) for each in described)
    first, second = chat.calls
    assert len(first) == 3 and [level(question) for question in second] == [20]
    assert fault in second[0].text and answer[:40] in second[0].text
    assert second[0].text.startswith(first[1].text)
    assert chat.seeds == [7, 8]


def test_after_the_rounds_the_clip_fails_with_a_reason_and_the_others_do_not() -> None:
    chat = Scripted(lambda question: "no idea" if level(question) == 20 else good())
    described = VisionCaptioner(chat, rounds=2).describe(CLIPS)
    assert [type(each) for each in described] == [Description, BadInput, Description]
    assert described[1].reason == "no_caption" and "scripted was asked 2 times" in str(described[1])
    assert described[1].final and len(chat.calls) == 2


def test_a_clip_without_any_answer_may_be_asked_about_another_day() -> None:
    chat = Scripted(lambda question: "" if level(question) == 20 else good())
    described = VisionCaptioner(chat, rounds=2).describe(CLIPS)
    assert isinstance(described[1], BadInput) and not described[1].final
    first, second = chat.calls
    assert [question.text for question in second] == [first[1].text]


def test_a_question_that_the_model_cannot_take_fails_alone() -> None:
    def answer(question: Question) -> str:
        if level(question) == 30:
            raise BadInput("context_full", "too long", final=False)
        return good()

    described = VisionCaptioner(Scripted(answer)).describe(CLIPS)
    assert [type(each) for each in described] == [Description, Description, BadInput]
    assert described[2].reason == "context_full" and not described[2].final


def test_blip2_writes_the_short_caption(tmp_path: object) -> None:
    pytest.importorskip("transformers")
    short = Blip2Captions(checkpoint=str(blip2.make(tmp_path)))
    chat = Scripted(lambda question: "none" if level(question) == 10 else good())
    captioner = VisionCaptioner(chat, short=short, rounds=1)
    described = captioner.describe(CLIPS)
    assert isinstance(described[0], BadInput)
    assert [each.short for each in described[1:]] == [
        each.short for each in short.describe(CLIPS[1:])
    ]
    assert described[1].phrases == tuple(GOOD["objects"])
    assert "short" not in chat.calls[0][0].schema["properties"]
    assert captioner.parts == (chat, short)


def test_the_version_is_of_prompts_options_and_models(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = Scripted(lambda question: good())
    versions = {VisionCaptioner(chat, **options).version for options in ({}, {"frames": 4})}
    chat.version = "2"
    versions.add(VisionCaptioner(chat).version)
    changed = {**prompts.prompts(), "system": "Say what you see."}
    monkeypatch.setattr(prompts, "prompts", lambda: changed)
    versions.add(VisionCaptioner(chat).version)
    assert len(versions) == 4


def test_frames_are_spread_over_the_clip_and_never_enlarged() -> None:
    clip = np.arange(17, dtype=np.uint8)[:, None, None, None] * np.ones((1, 30, 40, 3), np.uint8)
    assert [int(f.flat[0]) for f in shown(clip, 5, 10_000)] == [0, 4, 8, 12, 16]
    assert shown(clip[:3], 5, 10_000).shape == (3, 30, 40, 3)
    assert shown(clip, 2, 300).shape == (2, 15, 20, 3)


class Recording(BaseHTTPRequestHandler):
    """A chat server that gives one good answer, and keeps what it was sent."""

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.sent.append((sent, self.headers["Authorization"]))
        message = {"role": "assistant", "content": good()}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        about = {"id": "1", "object": "chat.completion", "created": 1, "model": "any"}
        answer = json.dumps({**about, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...


def test_a_server_answers_as_a_checkpoint_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recording)
    server.sent = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        captioner = VlmCaptions(
            server=f"http://127.0.0.1:{server.server_port}/v1",
            model="any",
            api_key_variable="SOME_KEY",
            frames=3,
            max_pixels=80 * 45,
        )
        described = captioner.describe(CLIPS[:2])
        captioner.close()
    finally:
        server.shutdown()
        server.server_close()
    assert [each.phrases for each in described] == [tuple(GOOD["objects"])] * 2
    assert len(server.sent) == 2
    for sent, key in server.sent:
        assert key == "Bearer sk-1" and sent["model"] == "any"
        assert [turn["role"] for turn in sent["messages"]] == ["system", "user"]
        pictures = [p for p in sent["messages"][1]["content"] if p["type"] == "image_url"]
        assert len(pictures) == 3
        for picture in pictures:
            data = base64.b64decode(picture["image_url"]["url"].partition(",")[2])
            frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert frame.shape == (45, 80, 3)
        assert "objects" in json.dumps(sent["response_format"])


def test_a_recipes_line_chooses_who_answers() -> None:
    choice = choice_of(
        "captions", {"provider": "vlm", "checkpoint": "somewhere", "short_by": "blip2"}
    )
    assert isinstance(choice, Choice)
    with pytest.raises(ValueError, match=r"vlm has no option `temprature`"):
        choice_of("captions", {"provider": "vlm", "temprature": 1})
    with pytest.raises(ValueError, match="option `short_by` of vlm"):
        choice_of("captions", {"provider": "vlm", "short_by": "blip"})
    with pytest.raises(EditmillError, match="both `server` and `checkpoint`"):
        VlmCaptions(server="http://127.0.0.1:9/v1", model="any", checkpoint="somewhere")
