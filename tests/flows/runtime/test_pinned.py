"""`latest` in a recipe: which version a build gets, and which one a release of it names."""

from pathlib import Path

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import ModelRow
from catalog.releases import Catalog
from filters.quality.model import SHIPPED
from filters.trained import TrainedModel, register
from flows.recipe import Recipe, parse
from flows.release.flow import release
from flows.request import request
from flows.runtime.pinned import as_built, pinned

TEXT = """
name: tiny
sources: [{kind: folder, path: %s}]
plan: {weights: {deblur: 1}}
filters: {quality_model: latest}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    catalog.open(tmp_path / "catalog", create=True)
    return tmp_path / "catalog"


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return parse(TEXT % tmp_path, "tiny")


def promote(root: Path, ref: str) -> ModelRow:
    """A version of the quality model, trained on `ref`."""
    model = TrainedModel("quality", SHIPPED.read_bytes(), "CC0-1.0", {}, [], [], {}, ref, True)
    return register(catalog.open(root), model)


def built(root: Path, recipe: Recipe) -> Catalog:
    made = catalog.open(root).select("0" * 16, recipe.model_dump_json(), Policy(), "1.0")
    made.become_main()
    return catalog.open(root)


def test_a_build_gets_the_version_promoted_last(root: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(TEXT % tmp_path)
    (tmp_path / "video.mp4").write_bytes(b"")
    before = request(str(tmp_path / "r.yaml"), root)
    assert before.recipe.filters.quality_model is None  # the shipped one
    row = promote(root, "v1")
    after = request(str(tmp_path / "r.yaml"), root)
    assert after.recipe.filters.quality_model == row.model_id
    assert after.key != before.key  # so the pairs are judged anew
    assert after.recipe.decisions()["filters"]["quality_model"] == row.model_id  # type: ignore[index]


def test_a_release_names_what_judged_and_not_what_was_promoted_since(
    root: Path, recipe: Recipe
) -> None:
    dataset = built(root, pinned(recipe, root))
    newer = promote(root, "v1")
    assert as_built(recipe, dataset).filters.quality_model is None
    with_newer = pinned(recipe, root)
    assert with_newer.filters.quality_model == newer.model_id
    dataset = built(root, with_newer)
    promote(root, "v2")
    assert as_built(recipe, dataset).filters.quality_model == newer.model_id
    # Of a recipe that main does not hold, `latest` is what it is now.
    other = recipe.model_copy(update={"name": "other"})
    assert as_built(other, dataset).filters == pinned(other, root).filters


def test_the_release_flow_takes_a_recipe_with_latest(root: Path, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text(TEXT % tmp_path)
    with pytest.raises(EditmillError, match="has nothing to release; run a build first"):
        release.fn(str(root), str(tmp_path / "r.yaml"))
