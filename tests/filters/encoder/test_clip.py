"""What open_clip's checkpoints may look like."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import EditmillError
from experts.providers import provider
from filters.encoder.clip import OpenClipEncoder

pytest.importorskip("open_clip")

from tests.checkpoints.open_clip import make


def test_either_name_of_the_weights_is_opened(tmp_path: Path, moving) -> None:
    old = make(tmp_path / "old", "open_clip_pytorch_model.safetensors")
    new = make(tmp_path / "new")
    one, two = (OpenClipEncoder(checkpoint=str(f), device="cpu") for f in (old, new))
    assert np.array_equal(one.embed(list(moving)), two.embed(list(moving)))
    assert one.version == two.version
    third = OpenClipEncoder(checkpoint=str(make(tmp_path / "third", seed=1)), device="cpu")
    assert third.version != one.version and third.scale != one.scale


def test_dtype_is_the_recipes(tmp_path: Path, moving) -> None:
    folder = str(make(tmp_path))
    half = OpenClipEncoder(checkpoint=folder, device="cpu", dtype="bfloat16")
    whole = OpenClipEncoder(checkpoint=folder, device="cpu")
    assert half.dtype == torch.bfloat16 and whole.dtype == torch.float32
    a, b = half.embed(list(moving)), whole.embed(list(moving))
    assert a.dtype == np.float32
    assert a.tobytes() != b.tobytes() and ((a * b).sum(1) > 0.98).all()
    assert (half.texts(["a dog"]) @ whole.texts(["a dog"]).T).item() > 0.98


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    folder = make(tmp_path)
    weights = folder / "open_clip_model.safetensors"
    weights.rename(folder / "open_clip_pytorch_model.bin")
    with pytest.raises(EditmillError, match=r"weights only as a pickle .*set `checkpoint`") as said:
        OpenClipEncoder(checkpoint=str(folder), device="cpu").load()
    assert "\n" not in str(said.value)


def test_the_scale_is_the_repositorys() -> None:
    kept = provider("encode", "open_clip").checkpoint
    assert kept is not None and OpenClipEncoder().scale == kept.repo
    commit = "0" * 40
    assert OpenClipEncoder(checkpoint=f"owner/clip@{commit}").scale == "owner/clip"


def test_opening_a_checkpoint_silences_nobody_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    OpenClipEncoder(checkpoint=str(make(tmp_path / "clip")), device="cpu").load()
    logging.getLogger("editmill").warning("still heard")
    assert [record.getMessage() for record in caplog.records] == ["still heard"]
