"""Which files of a checkpoint are taken, and which are missing."""

import json
from pathlib import Path

import pytest

from experts.checkpoint import formats
from tests.experts.checkpoint.conftest import laid


@pytest.mark.parametrize("pattern", ["*.json", "unet/*.safetensors", "tokenizer.model", "a.gguf"])
def test_safe(pattern: str) -> None:
    assert formats.is_safe(pattern)


@pytest.mark.parametrize(
    "pattern", ["*", "unet/*", "*.py", "pytorch_model.bin", "*.safetensors*", "*.[sp]*", "a.json?"]
)
def test_not_safe(pattern: str) -> None:
    assert not formats.is_safe(pattern)


def index(*shards: str) -> bytes:
    return json.dumps({"weight_map": {f"w{k}": shard for k, shard in enumerate(shards)}}).encode()


def test_every_shard_of_an_index_is_needed(tmp_path: Path) -> None:
    laid(tmp_path, {"unet/m.safetensors.index.json": index("m-1.safetensors", "m-2.safetensors")})
    laid(tmp_path, {"unet/m-1.safetensors": b""})
    needed = ("unet/*.index.json", "unet/*.safetensors")
    assert formats.missing(tmp_path, needed) == ["unet/m-2.safetensors"]
    laid(tmp_path, {"unet/m-2.safetensors": b""})
    assert formats.missing(tmp_path, needed) == []


def test_an_optional_index_counts_where_it_is_there(tmp_path: Path) -> None:
    laid(tmp_path, {"m.safetensors.index.json": index("a.safetensors"), "b.safetensors": b""})
    assert formats.missing(tmp_path, ("*.safetensors",)) == []
    assert formats.missing(tmp_path, ("*.safetensors",), ("*.json",)) == ["a.safetensors"]


def test_shards_count_themselves(tmp_path: Path) -> None:
    laid(tmp_path, {"m-00002-of-00003.safetensors": b""})
    assert formats.missing(tmp_path, ("*.safetensors",)) == [
        "m-00001-of-00003.safetensors",
        "m-00003-of-00003.safetensors",
    ]


def test_every_pattern_needs_a_file(tmp_path: Path) -> None:
    laid(tmp_path, {"a/config.json": b"{}", ".cache/b.safetensors": b""})
    needed = ("a/*.json", "b.json", "*.safetensors")
    assert formats.missing(tmp_path, needed) == ["b.json", "*.safetensors"]


@pytest.mark.parametrize("text", [b"", b"[]", b'{"weight_map": 1}', b"\xff"])
def test_an_index_that_is_none(tmp_path: Path, text: bytes) -> None:
    laid(tmp_path, {"m.safetensors.index.json": text})
    with pytest.raises(ValueError, match="no index of safetensors"):
        formats.missing(tmp_path, ("*.json",))


def test_pickles_beside_safetensors_are_no_matter() -> None:
    assert formats.only_pickles(["a.bin", "b/c.safetensors"]) == ""
    assert formats.only_pickles(["a.json", "x.pt", "b.ckpt"]) == "b.ckpt"
    assert formats.only_pickles(["a.json"]) == ""
