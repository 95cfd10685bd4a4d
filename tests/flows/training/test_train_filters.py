"""The filters' training flows: what a server shows of them, and a small training that is real."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.errors import EditmillError
from filters.alignment.style_probe import StyleProbes
from flows.cli import app
from flows.training.filters import alignment, quality


@pytest.mark.parametrize("training", [quality.train_quality, alignment.train_alignment])
def test_a_servers_page_describes_every_parameter(training):
    found = training.parameters.model_dump()["properties"]
    assert {"out", "compare_with", "samples", "seed"} < set(found)
    for name, of in found.items():
        assert of.get("description"), name
    assert found["out"]["anyOf"][0] == {"format": "path", "type": "string"}
    assert found["seed"]["type"] == "integer" and found["samples"]["default"]
    assert training.description


@pytest.mark.parametrize("name", ["quality", "alignment"])
def test_a_training_that_would_leave_nothing_says_what_to_give(name):
    with pytest.raises(EditmillError, match="--out FILE"):
        CliRunner().invoke(app, ["train", name], catch_exceptions=False)


@pytest.mark.weights
def test_the_command_writes_probes_and_compares_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = alignment.train_alignment.with_options()
    monkeypatch.setattr(
        alignment,
        "train_alignment",
        lambda out, known: small(out, known, samples=("clip_city", "clip_bikes"), frames=2),
    )
    out = tmp_path / "probes.safetensors"
    run = CliRunner().invoke(app, ["train", "alignment", "--out", str(out), "--check", "--json"])
    found = json.loads(run.stdout)
    probes = StyleProbes.load(out)
    assert probes.metrics == found["metrics"]
    assert set(probes.trained_with["samples"]) == {"clip_city", "clip_bikes"}
    # Fewer clips make other probes than the shipped ones, and the exit code says so.
    assert not found["agreement"]["holds"] and run.exit_code == 1
