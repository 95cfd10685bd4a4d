"""The split by source: real sources, each on one side."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import EditmillError
from experts import weights
from infra.bench.rendered.load import table
from infra.bench.split import rendered_split, split


def test_every_footage_slot_is_on_one_side() -> None:
    tuned, reported = split().tuned_on, split().reported_on
    clips = {slot.name for slot in weights.entries() if slot.name.startswith("clip_")}
    named = {name for name in (*tuned, *reported) if name.startswith("clip_")}
    assert named == clips
    assert len([name for name in reported if name.startswith("clip_")]) >= 5
    assert all(kind for kind in (*tuned.values(), *reported.values()))


def test_every_rendered_scene_is_on_one_side() -> None:
    found = rendered_split()
    assert {*found.tuned_on, *found.reported_on} == set(table())
    assert all(kind for kind in (*found.tuned_on.values(), *found.reported_on.values()))


def test_nothing_shipped_is_made_of_what_is_reported_on() -> None:
    """Recipes and trainings name no source that figures are reported on."""
    root = Path(__file__).parents[2]
    texts = [p.read_text() for p in (root / "flows" / "recipes").glob("*.yaml")]
    texts += [p.read_text() for p in (root / "filters").rglob("*.py")]
    texts += [p.read_text() for p in (root / "experts").rglob("*.py")]
    assert len(texts) > 100
    for name in split().reported_on:
        assert not any(name in text for text in texts)


def test_a_source_on_both_sides_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "split.toml"
    file.write_text('[tuned_on]\na = "x"\nb = "y"\n[reported_on]\nb = "z"\n')
    with pytest.raises(EditmillError, match="b is tuned on and reported on"):
        split(file)
    file.write_text('[rendered.tuned_on]\na = "x"\n[rendered.reported_on]\na = "z"\n')
    with pytest.raises(EditmillError, match="a is tuned on and reported on"):
        rendered_split(file)
