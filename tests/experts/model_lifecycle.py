"""What every model of a slot promises, whatever it does: see `experts.base.Model`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch

from catalog.errors import EditmillError


def check_lifecycle(make: Callable[[], Any], call: Callable[[Any], Any]) -> None:
    """A constructor that loads nothing, a version without loading, loading twice at no cost, and a
    close after which it loads again and answers the same."""
    begun = time.monotonic()
    model = make()
    assert time.monotonic() - begun < 0.5
    version = model.version
    assert version and version == make().version
    assert isinstance(model.name, str) and model.name
    model.load()
    first = call(model)
    begun, spent = time.monotonic(), time.thread_time()
    model.load()
    assert time.thread_time() - spent < 0.01  # of the processor, which others use, too
    assert time.monotonic() - begun < 0.5
    assert call(model) == first
    model.close()
    model.close()
    assert call(model) == first  # loads by itself
    assert model.version == version
    model.close()


def check_bad_checkpoint(kind: Callable[..., Any], good: Path, folder: Path) -> None:
    """An empty folder, a name that is no commit, broken weights and half of them are each one line
    that says what to set."""
    folder.mkdir()
    for named in (str(folder), "no-such-owner/no-such-model"):
        model = kind(checkpoint=named)
        for act in (lambda: model.version, model.load):  # noqa: B023
            with pytest.raises(EditmillError) as raised:
                act()
            assert "checkpoint" in str(raised.value) and "\n" not in str(raised.value)
    for each in good.iterdir():
        (folder / each.name).write_bytes(each.read_bytes())
    weights = folder / "model.safetensors"
    for spoilt in (b"no weights at all", half_of(weights)):
        weights.write_bytes(spoilt)
        with pytest.raises(EditmillError, match="set `checkpoint` of `models") as raised:
            kind(checkpoint=str(folder)).load()
        assert "\n" not in str(raised.value)


def half_of(weights: Path) -> bytes:
    """A safetensors file with every other tensor of another."""
    tensors = safetensors.torch.load_file(weights)
    kept = {name: tensors[name] for name in sorted(tensors)[::2]}
    return safetensors.torch.save(kept, {"format": "pt"})
