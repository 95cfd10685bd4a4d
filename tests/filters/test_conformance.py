"""What every filter must do, whichever it is."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from catalog.records import FILTER_SCORES
from filters.base import Filter, PairFrames, Verdict
from filters.config import Filters, filters_for
from filters.construction import CONSTRUCTED
from filters.judge import judge
from filters.quality.descriptor import GROUPS

pytestmark = pytest.mark.weights

FEW = 5
"""Frames of a sample: what is asked here holds of any number, and each is seen by the encoder a
dozen times."""

WORD = re.compile(r"[a-z]+(_[a-z]+)*")


@pytest.fixture(scope="module")
def samples(moving, box):
    moving, box = moving[:FEW], box[:FEW]
    noise = np.random.default_rng(0).integers(0, 255, moving.shape, dtype=np.uint8)
    other = np.ascontiguousarray(moving[:, ::-1])
    removed = {"prompt": "a car", "label": "car", "made": "target"}
    return [
        PairFrames("object_removal", moving, moving.copy(), box, source_id="a", **removed),
        PairFrames("object_removal", moving, noise, box, source_id="b", **removed),
        PairFrames("object_addition", other, moving, box, "a dog", source_id="a", made="source"),
        PairFrames("object_addition", other, moving, box, "a person", source_id="b", made="source"),
        PairFrames("local_style_transfer", moving, other, box, "a red car", "car", made="target"),
        PairFrames("global_style_transfer", moving, noise, prompt="watercolor", made="target"),
        PairFrames("deblur", moving, noise, source_id="b", made="source"),
        PairFrames("something_new", noise, moving, source_id="c", made="target"),
        PairFrames("canny_to_video", noise, moving, made="source"),
        PairFrames("inpainting", noise, moving, box, made="source"),
        PairFrames("inpainting", noise, moving, made="source"),
    ]


@pytest.fixture(scope="module")
def filters(encoder):
    made = filters_for(Filters(), encoder)
    for one in made:
        one.load()
    return made


@pytest.fixture(scope="module")
def verdicts(filters, samples):
    """Each filter's, by its name."""
    return {one.name: one.judge(samples) for one in filters}


@pytest.fixture(scope="module")
def together(filters, samples, encoder):
    return judge(samples, filters, encoder)


def test_they_are_the_catalogs_in_order(filters):
    assert tuple(f.name for f in filters) == FILTER_SCORES
    assert all(isinstance(f, Filter) and f.version for f in filters)


def test_verdicts_are_well_formed(verdicts, samples):
    for judged in verdicts.values():
        assert len(judged) == len(samples)
        for verdict in judged:
            assert isinstance(verdict, Verdict) and isinstance(verdict.keep, bool)
            assert verdict.score is None or isinstance(verdict.score, float)
            assert not verdict.reason or WORD.fullmatch(verdict.reason)
            assert verdict.keep or (verdict.reason and verdict.score is not None)
            if verdict.reason in ("abstained", "not_measured"):
                assert verdict.keep


def test_a_batch_is_judged_as_one_by_one(filters, samples, verdicts):
    for one in filters:
        batch = verdicts[one.name]
        single = [one.judge([s])[0] for s in samples]
        assert [v.keep for v in batch] == [v.keep for v in single]
        assert [v.reason for v in batch] == [v.reason for v in single]
        for a, b in zip(batch, single, strict=True):
            assert a.score == b.score or a.score == pytest.approx(b.score, abs=1e-6)
        assert one.judge([]) == []


def test_judging_together_is_judging_apart(samples, together, verdicts):
    assert [list(row) for row in together] == [list(FILTER_SCORES)] * len(samples)
    for name, judged in verdicts.items():
        assert [row[name] for row in together] == judged


def test_again_and_in_two_threads_it_is_the_same(filters, samples, encoder, together):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: judge(samples, filters, encoder), range(2)))
    assert results == [together] * 2


def test_every_task_of_the_registry_is_checked_or_has_a_group():
    from experts.edit.tasks import TASKS

    assert set(TASKS) == set(GROUPS) | CONSTRUCTED
    assert not set(GROUPS) & CONSTRUCTED


def test_what_is_checked_is_not_guessed_at(filters, samples):
    (quality,) = (f for f in filters if f.name == "quality")
    for sample, verdict in zip(samples, quality.judge(samples), strict=True):
        assert (verdict.score is None) == (sample.task in CONSTRUCTED)
        if sample.task in CONSTRUCTED:
            assert verdict.keep and verdict.reason == "not_measured"
