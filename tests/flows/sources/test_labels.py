"""The labels that a section of a recipe gives to its footage, and to no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.recipe import load, parse
from flows.sources import local_files, samples

RECIPE = """
name: two
plan: {{weights: {{deblur: 1}}}}
sources:
  - {{kind: samples, names: [clip_city], labels: [car]}}
  - {{kind: folder, path: {0}/dogs, labels: [dog]}}
  - {{kind: folder, path: {0}/any}}
"""


@pytest.mark.weights
def test_every_source_has_the_labels_of_its_section(tmp_path: Path) -> None:
    for name in ("dogs", "any"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.mp4").touch()
    files = local_files(parse(RECIPE.format(tmp_path), "two.yaml").sources)
    assert {file.uri: file.section.labels for file in files} == {
        samples.uri("clip_city"): ("car",),
        "dogs.mp4": ("dog",),
        "any.mp4": None,
    }


@pytest.mark.parametrize("name", ["embedded", "vivid-embedded"])
def test_the_samples_labels_are_not_those_of_other_footage(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    recipe = load(name)
    assert all("car" in (section.labels or ()) for section in recipe.sources)
    update = {"path": tmp_path, "labels": None}
    own = parse(RECIPE.format(tmp_path), "").sources[1].model_copy(update=update)
    (file,) = local_files((own,))
    assert file.section.labels is None
