"""What every provider of the judge's slot must do, whichever it is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import EditmillError
from experts.memory import parts_of
from experts.providers import providers
from experts.providers.choice import choice_of
from filters.base import PairFrames
from filters.vlm.best_of import best_of
from filters.vlm.config import judge_for
from filters.vlm.judgement import CHECKED, GRADED, Judgement, PairJudge
from filters.vlm.rules import Vlm
from tests.checkpoints import qwen3_vl, vefx_reward
from tests.filters.vlm.scripted import grades, grey, removal
from tests.filters.vlm.vision_server import Videos, vision_server

pytest.importorskip("transformers")

Make = Callable[[], PairJudge]
RULES = Vlm(frames=2, max_pixels=32 * 32, attempts=1, max_tokens=40)
"""A model with random weights talks until it is stopped; what it says makes no judgement."""


def _by_brightness(text: str, videos: Videos) -> str:
    """Grades what it is shown last by how bright it is; of two attempts prefers the brighter."""
    levels = [float(np.mean(video)) for video in videos]
    if len(videos) == 2:
        return grades(1 + round(levels[1]) // 64, swapped=levels[0] > levels[1])
    better = "tie" if abs(levels[1] - levels[2]) < 10 else "A" if levels[1] > levels[2] else "B"
    return json.dumps({"reason": "It is brighter.", "better": better})


def _given(name: str, **options: object) -> PairJudge:
    judge = judge_for(choice_of("judge", {"provider": name, **options}), RULES)
    assert judge is not None
    return judge


@pytest.fixture(scope="module", params=["openai", "transformers", "reward_model"])
def make(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Make]:
    """Makes the provider as a recipe does."""
    name, folder = request.param, tmp_path_factory.mktemp("judge")
    if name == "openai":
        with vision_server(_by_brightness) as address:
            yield lambda: _given(name, base_url=address, model="scripted", image_format="png")
    elif name == "transformers":
        qwen3_vl.make(folder)
        yield lambda: _given(name, checkpoint=str(folder), device="cpu")
    else:
        vefx_reward.make(folder)
        prompt = str(folder / "prompt.txt")
        yield lambda: _given(name, checkpoint=str(folder), prompt=prompt, device="cpu")


@pytest.fixture(scope="module")
def judge(make: Make) -> PairJudge:
    return make()


def _samples() -> list[PairFrames]:
    added = dataclasses.replace(
        removal(60), task="object_addition", source=grey(60), target=grey(200), made="source"
    )
    return [removal(250), removal(10), added, dataclasses.replace(removal(60), task="deblur")]


def test_every_provider_of_the_slot_is_here() -> None:
    assert set(providers("judge")) == {"openai", "transformers", "reward_model"}


def test_it_is_a_judge_with_a_version_before_it_is_loaded(make: Make) -> None:
    judge = make()
    assert isinstance(judge, PairJudge)
    assert judge.name and judge.version and judge.version == make().version


def test_judgements_are_in_range_or_say_why_there_is_none(judge: PairJudge) -> None:
    judged = judge.judgements(_samples())
    assert len(judged) == 4
    for judgement in judged:
        assert judgement.scores.keys() <= {*GRADED, *CHECKED}
        assert all(1 <= judgement.scores[n] <= 5 for n in GRADED if n in judgement.scores)
        assert all(judgement.scores[n] in (0, 1) for n in CHECKED if n in judgement.scores)
        assert bool(judgement.scores) != bool(judgement.reason)
        assert judgement.reason in ("", "abstained", "not_measured")
        assert Judgement(**json.loads(json.dumps(judgement.document()))) == judgement
    assert judged[3].reason == "not_measured"
    assert judge.judgements([]) == []


def test_the_same_pairs_get_the_same_and_are_not_changed(judge: PairJudge) -> None:
    samples = _samples()
    before = [(s.source.copy(), s.target.copy()) for s in samples]
    first = judge.judgements(samples)
    assert judge.judgements(samples) == first
    assert [judge.judgements([s])[0] for s in samples] == first
    for sample, (source, target) in zip(samples, before, strict=True):
        assert (sample.source == source).all() and (sample.target == target).all()


def test_preferences_do_not_hang_on_the_order(judge: PairJudge) -> None:
    two = [(removal(250), removal(10)), (removal(10), removal(90)), (removal(70), removal(70))]
    there, back = judge.prefer(two), judge.prefer([(b, a) for a, b in two])
    assert there == [-each for each in back]
    assert set(there) <= {-1, 0, 1} and there[2] == 0
    assert judge.prefer([]) == []
    assert best_of([[removal(70), removal(70)]], judge) == [0]


def test_it_is_loaded_once_and_can_be_closed_and_used_again(make: Make) -> None:
    judge = make()
    judge.load()
    judge.load()
    first = judge.judgements(_samples())
    for part in parts_of(judge):
        part.close()
    assert judge.judgements(_samples()) == first


def test_by_a_server_the_brightest_is_best_and_the_darker_side_comes_last() -> None:
    with vision_server(_by_brightness) as address:
        judge = _given("openai", base_url=address, model="scripted", image_format="png")
        first, second = judge.judgements([removal(250), removal(10)])
        assert (first.scores["instruction"], first.scores["order"]) == (4, 1)
        assert (second.scores["instruction"], second.scores["order"]) == (1, 0)
        assert best_of([[removal(n) for n in (90, 30, 200, 120)]], judge) == [2]


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    judge = _given("openai", base_url="http://127.0.0.1:9/v1", model="none", attempts=1)
    with pytest.raises(EditmillError, match=r"127\.0\.0\.1:9") as error:
        judge.judgements([removal(10)])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["transformers", "reward_model"])
def test_a_bad_checkpoint_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(vefx_reward.PROMPT)
    options = {"prompt": str(prompt)} if name == "reward_model" else {}
    judge = _given(name, checkpoint=str(tmp_path), device="cpu", **options)
    with pytest.raises(EditmillError, match=r"models\.judge") as error:
        judge.judgements([removal(10)])
    assert "\n" not in str(error.value)
