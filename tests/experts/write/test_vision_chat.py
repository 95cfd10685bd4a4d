"""What a vision-language model in this process promises: `experts.write.chat.vision.question`."""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from experts.write.chat.vision.question import Question, VisionChat
from experts.write.chat.vision.transformers_vision import TransformersVisionChat
from tests.checkpoints import blip2, qwen2_5_vl, qwen3_vl
from tests.experts.model_lifecycle import check_bad_checkpoint, check_lifecycle

pytest.importorskip("transformers")
pytest.importorskip("xgrammar")

Chat = Callable[..., TransformersVisionChat]

SCHEMA = {
    "type": "object",
    "properties": {
        "seen": {"type": "boolean"},
        "grade": {"enum": [1, 2, 3]},
        "word": {"type": "string", "maxLength": 5},
        "list": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
    },
    "required": ["seen", "grade", "word", "list"],
    "additionalProperties": False,
}
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (6, 48, 64, 3), np.uint8)
BLACK = np.zeros((3, 64, 40, 3), np.uint8)
IMAGE = RNG.integers(0, 256, (1, 48, 48, 3), np.uint8)
QUESTIONS = [
    Question("what is in the video?", (NOISE,)),
    Question("what is in the video?", (BLACK,), system="You see a dog."),
    Question("which is the better one?", (NOISE, BLACK), schema=SCHEMA),
    Question("a man rides a horse", schema=SCHEMA),
    Question("what is in the image?", (IMAGE,)),
]


@pytest.fixture(scope="module", params=[qwen3_vl, qwen2_5_vl], ids=["qwen3_vl", "qwen2_5_vl"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = request.param.make(tmp_path_factory.mktemp("qwen"))
    return made


@pytest.fixture(scope="module")
def make(folder: Path) -> Chat:
    return functools.partial(
        TransformersVisionChat, slot="captions", provider_name="vlm", checkpoint=str(folder)
    )


@pytest.fixture(scope="module")
def chat(make: Chat) -> Iterator[TransformersVisionChat]:
    chat = make()
    yield chat
    chat.close()


def ask(chat: VisionChat, *questions: Question, seed: int = 1, max_tokens: int = 12) -> list[str]:
    return chat.ask(questions, seed=seed, max_tokens=max_tokens)


def test_it_lives_as_models_do(make: Chat) -> None:
    check_lifecycle(make, lambda chat: ask(chat, QUESTIONS[0]))


def test_questions_are_answered_in_their_order_whatever_is_asked_beside_them(
    chat: TransformersVisionChat,
) -> None:
    assert isinstance(chat, VisionChat)
    before = NOISE.copy()
    together = ask(chat, *QUESTIONS)
    assert len(together) == len(QUESTIONS) and all(isinstance(each, str) for each in together)
    assert [ask(chat, question)[0] for question in QUESTIONS] == together
    assert ask(chat, *QUESTIONS[::-1]) == together[::-1]
    assert (before == NOISE).all()
    assert ask(chat) == []


def test_an_answer_depends_on_the_video_the_text_and_the_system_message(
    chat: TransformersVisionChat,
) -> None:
    asked = [
        QUESTIONS[0],
        Question(QUESTIONS[0].text, (BLACK,)),
        Question("a red car", (NOISE,)),
        Question(QUESTIONS[0].text, (NOISE,), system="a white dog"),
        Question(QUESTIONS[0].text, (NOISE, BLACK)),
    ]
    assert len(set(ask(chat, *asked))) == len(asked)


def test_with_a_schema_the_answer_is_json_of_that_shape(chat: TransformersVisionChat) -> None:
    for answer in ask(chat, *QUESTIONS, max_tokens=120)[2:4]:
        told = json.loads(answer)
        assert list(told) == SCHEMA["required"]
        assert isinstance(told["seen"], bool) and told["grade"] in (1, 2, 3)
        assert len(told["word"]) <= 5 and len(told["list"]) <= 2


def test_an_answer_is_no_longer_than_allowed(chat: TransformersVisionChat) -> None:
    (short,), (long,) = (ask(chat, QUESTIONS[2], max_tokens=count) for count in (4, 12))
    assert 0 < len(short) < len(long) and long.startswith(short)


def test_a_temperature_samples_by_the_seed(make: Chat, chat: TransformersVisionChat) -> None:
    import torch

    warm = make(temperature=1.0)
    state = torch.random.get_rng_state()
    once = ask(warm, QUESTIONS[0], seed=1)
    assert ask(warm, QUESTIONS[0], seed=1) == once
    assert ask(warm, QUESTIONS[0], seed=2) != once
    assert (torch.random.get_rng_state() == state).all()
    assert ask(chat, QUESTIONS[0], seed=1) == ask(chat, QUESTIONS[0], seed=2)
    assert warm.version != chat.version


def test_a_batch_of_questions_reads_the_frames_once(chat: TransformersVisionChat) -> None:
    seen: list[int] = []
    chat.load()
    hook = chat._models.model.model.visual.register_forward_hook(
        lambda module, args, out: seen.append(1)
    )
    ask(chat, *QUESTIONS[:2])
    hook.remove()
    assert len(seen) == 1


def test_a_question_is_shown_every_frame(chat: TransformersVisionChat) -> None:
    chat.load()
    grid = chat._inputs([QUESTIONS[0]])["video_grid_thw"][0].tolist()
    assert grid[0] == len(NOISE) // 2  # frames are merged in pairs


def test_a_checkpoint_that_cannot_be_had_is_one_line(folder: Path, tmp_path: Path) -> None:
    kind = functools.partial(TransformersVisionChat, slot="captions", provider_name="vlm")
    check_bad_checkpoint(kind, folder, tmp_path / "bad")


def test_a_model_without_videos_is_refused(make: Chat, tmp_path: Path) -> None:
    other = make(checkpoint=str(blip2.make(tmp_path)))
    with pytest.raises(EditmillError, match="reads no videos; set `checkpoint`") as raised:
        other.load()
    assert "\n" not in str(raised.value)
