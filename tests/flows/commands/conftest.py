"""The command run in this process, and a small catalog with two releases."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import catalog
from catalog.errors import EditmillError
from catalog.policy import Policy, Threshold
from catalog.records import Pair
from flows.cli import app
from tests.catalog.keeping.two_sources import made, two_sources_once  # noqa: F401
from tests.flows.tiny_training import write_catalog, write_pairs
from tests.hub import hub, model_cache  # noqa: F401
from tests.parts import by_key

Run = Callable[..., str]

RECIPE = {
    "name": "tiny",
    "filters": {"quality": 0.7, "quality_per_task": {"global_style_transfer": 0.8}, "subtle": 0.5},
}

POLICY = Policy(
    (
        Threshold("quality", "at_least", "edit_failed", 0.7, {"global_style_transfer": 0.8}),
        Threshold("subtle", "at_most", "subtle", 0.5),
    )
)
"""That recipe's."""


@pytest.fixture
def editmill(monkeypatch: pytest.MonkeyPatch) -> Run:
    """`editmill("releases", "--json")`: what the command prints. Its errors pass through."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*args: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in args], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def refused(editmill: Run) -> Callable[..., str]:
    """`refused("show", "zz")`: the one line that says what is wrong."""

    def run(*args: object) -> str:
        with pytest.raises(EditmillError) as told:
            editmill(*args)
        assert "\n" not in str(told.value)
        return str(told.value)

    return run


@pytest.fixture
def root(made_once: Path, tmp_path: Path) -> Path:
    """A catalog of this test's own, with the releases v1 and v2 (see `made_once`)."""
    return Path(shutil.copytree(made_once, tmp_path / "catalog"))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips, a kept pair of each and a rejected one: v1. Since then one was judged anew, one
    reworded, one removed and one added: v2."""
    root = tmp_path_factory.mktemp("commands") / "catalog"
    dataset = catalog.open(root, create=True).select("tiny", json.dumps(RECIPE), POLICY, "1.0")
    dataset.become_main()
    write_catalog(root, sources=3)
    write_pairs(root)
    dataset.release("v1", json.dumps(RECIPE))
    kept = [p for p in _pairs(root) if p.keep]
    judged = dataclasses.replace(
        kept[0], keep=False, reason="edit_failed", quality_score=0.2, quality_reason="edit_failed"
    )
    reworded = dataclasses.replace(kept[1], instruction="Turn it into its negative.")
    added = dataclasses.replace(kept[2], pair_id="f" * 32, task="deblur", quality_score=0.9)
    dataset.tables.put("pairs", by_key([judged, reworded, added]))
    dataset.tables.drop("pairs", [kept[2].pair_id])
    dataset.release("v2", json.dumps(RECIPE))
    return root


def _pairs(root: Path) -> list[Pair]:
    return sorted(catalog.open(root).tables.records("pairs"), key=lambda p: p.pair_id)  # type: ignore[attr-defined]
