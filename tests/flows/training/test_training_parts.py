"""The parts of a training's flow that need no model."""

from pathlib import Path

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.records import ModelRow
from experts.diffusion.conditioning.controls import Controls
from experts.diffusion.specs import EXPERTS, TRAINABLE
from experts.diffusion.training.comparison import EvaluationSettings, Scores, compare
from experts.diffusion.training.data.catalog_clips import CatalogClip, collect, data_ref, split
from experts.diffusion.training.data.selection import RecordSelection
from flows.training.experts.settings import load, opened
from tests.flows.tiny_training import write_catalog

CURRENT = ModelRow("remover@1", "remover", "1", "", "", {})


@pytest.mark.parametrize(
    ("mine", "theirs", "reason"),
    [
        ((0.5, 20.0), (0.6, 20.4), "better"),
        ((0.5, None), (0.6, None), "better"),
        ((0.6, 30.0), (0.6, 20.0), "loss_not_lower"),
        ((0.5, 19.4), (0.6, 20.0), "psnr_lower"),
        ((float("nan"), 20.0), (0.6, 20.0), "not_finite"),
    ],
)
def test_better_is_a_lower_loss_that_costs_little_psnr(
    mine: tuple[float, float], theirs: tuple[float, float], reason: str
) -> None:
    found = compare(
        Scores(*mine, examples=9, sampled=2),
        Scores(*theirs, examples=9, sampled=2),
        EvaluationSettings(max_psnr_drop=0.5),
        CURRENT,
        3,
    )
    assert found.reason == reason and found.promoted == (reason == "better")
    assert found.metrics["rival"] == "remover@1" and found.metrics["held_out_sources"] == 3


def test_a_gain_can_be_asked_for() -> None:
    mine, theirs = Scores(0.58, None, 9, 0), Scores(0.6, None, 9, 0)
    assert compare(mine, theirs, EvaluationSettings(min_gain=0.03), CURRENT, 3).promoted
    assert not compare(mine, theirs, EvaluationSettings(min_gain=0.05), CURRENT, 3).promoted


def test_nothing_unseen_is_no_promotion() -> None:
    found = compare(None, None, EvaluationSettings(), CURRENT, 0)
    assert (found.promoted, found.reason) == (False, "nothing_unseen")


def test_shipped_recipes_are_settings_too() -> None:
    for name in TRAINABLE:
        assert load(name)[0].expert == name


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[CatalogClip]:
    root = tmp_path_factory.mktemp("parts") / "catalog"
    dataset = catalog.open(write_catalog(root, sources=12).root)
    return collect(dataset, EXPERTS["remover"], RecordSelection(max_area=0.5), "here")


def test_whole_sources_are_held_out_and_stay_so(clips: list[CatalogClip]) -> None:
    learn, held = split(clips, 0.3)
    assert len(learn) + len(held) == 12
    assert held and not {c.row.source_id for c in learn} & {c.row.source_id for c in held}
    fewer = [clip for clip in clips if clip not in learn[:3]]
    assert {c.key for c in split(fewer, 0.3)[1]} == {c.key for c in held}
    assert len(split(clips, 0.0)[1]) == 1 and len(split(clips, 1.0)[0]) == 1


def test_a_clip_is_known_by_content(clips: list[CatalogClip]) -> None:
    first = clips[0]
    assert first.key == CatalogClip(first.dataset, first.row, first.tracks, Controls(())).key
    assert first.key != CatalogClip(first.dataset, first.row, (), Controls(())).key
    assert first.clip().frames.shape[:3] == first.masks(0).shape


def test_what_was_read_is_named(tmp_path: Path) -> None:
    dataset = catalog.open(write_catalog(tmp_path / "c", sources=2).root)
    assert data_ref(dataset, "v3") == "v3"
    assert data_ref(dataset, "main") == "main@clips=1,tracks=1"


def test_a_base_is_fetched_only_once_the_records_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetched(*_: object) -> Path:
        raise AssertionError("fetched")

    monkeypatch.delenv("EDITMILL_COGVIDEOX_2B", raising=False)
    monkeypatch.setattr("experts.checkpoint.Kind.folder", fetched)
    with pytest.raises(EditmillError, match="is not a catalog"):
        opened(tmp_path, "remover")
