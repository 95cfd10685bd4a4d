"""The filters' training flows: what a server shows of them, and a small training that is real."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog.errors import EditmillError
from filters.alignment.style_examples import StyleExamples
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


@pytest.mark.parametrize("training", [quality.train_quality, alignment.train_alignment])
def test_where_the_model_cannot_go_is_told_before_anything_is_made(
    training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("made")

    for name in ("make_training_pairs", "paint_and_fit"):
        monkeypatch.setattr(f"{training.fn.__module__}.{name}", refuse, raising=False)
    name = training.fn.__name__.removeprefix("train_")
    (tmp_path / "file").touch()
    for out, remedy in (
        (tmp_path, "is a folder"),
        (tmp_path / "file" / "m.safetensors", "not a folder"),
    ):
        with pytest.raises(EditmillError, match=remedy):
            training.fn(out)
        with pytest.raises(EditmillError, match=remedy):
            CliRunner().invoke(app, ["train", name, "--out", str(out)], catch_exceptions=False)
    with pytest.raises(AssertionError, match="made"):
        training.fn(tmp_path / "new" / "m.safetensors")
    assert (tmp_path / "new").is_dir()


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
    painted = functools.partial(StyleExamples, long_side=128)
    monkeypatch.setattr("filters.alignment.train.StyleExamples", painted)
    out = tmp_path / "probes.safetensors"
    run = CliRunner().invoke(app, ["train", "alignment", "--out", str(out), "--check", "--json"])
    found = json.loads(run.stdout)
    probes = StyleProbes.load(out)
    assert probes.metrics == found["metrics"]
    assert set(probes.trained_with["samples"]) == {"clip_city", "clip_bikes"}
    # Fewer clips make other probes than the shipped ones, and the exit code says so.
    assert not found["agreement"]["holds"] and run.exit_code == 1


def test_the_quality_filter_is_trained_on_the_encoder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("open_clip")
    from filters.encoder.clip import OpenClipEncoder
    from flows.training.filters.encoders import encoder_named
    from tests.checkpoints.open_clip import make

    given = {}
    monkeypatch.setattr(
        quality, "train_quality", lambda out, known, **rest: given.update(rest) or {"metrics": {}}
    )
    clip = f"{{provider: open_clip, checkpoint: {make(tmp_path)}, device: cpu}}"
    out = ["--out", str(tmp_path / "quality.safetensors"), "--json"]
    run = CliRunner().invoke(app, ["train", "quality", "--encoder", clip, *out])
    assert run.exit_code == 0 and set(given) == {"encoder"}
    encoder = encoder_named(given["encoder"])
    assert isinstance(encoder, OpenClipEncoder)
    assert encoder.checkpoint == str(tmp_path) and encoder is encoder_named(given["encoder"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "quality", "--encoder", "open_clip", "--check"], "without --encoder"),
        (["train", "quality", "--encoder", "none", "--out", "x"], "there are: embedded, open_clip"),
        (["calibrate", "--encoder", "[a"], "is no YAML"),
        (["calibrate", "--encoder", "{provider: open_clip, size: 1}"], "no option `size`"),
    ],
)
def test_an_encoder_that_cannot_be_is_one_line(arguments: list[str], says: str) -> None:
    with pytest.raises(EditmillError, match=says) as error:
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "\n" not in str(error.value)
