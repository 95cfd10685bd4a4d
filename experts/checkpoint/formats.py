"""Which files of a checkpoint are read: only formats that cannot run code when they are opened."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

WEIGHTS = (".safetensors", ".onnx", ".gguf", ".tflite")
SAFE = (*WEIGHTS, ".json", ".txt", ".model", ".jinja")
"""Weights, configurations, and tokenizers (`.model` is SentencePiece's protobuf)."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")

_INDEX = ".safetensors.index.json"
_SHARD = re.compile(r"(?P<stem>.*)-(?P<number>\d+)-of-(?P<count>\d+)(?P<suffix>\.\w+)")


def is_safe(pattern: str) -> bool:
    """Whether all that a pattern of `fnmatch` matches is of a safe format."""
    return pattern.endswith(SAFE)


def is_weights(name: str) -> bool:
    """Whether a file or pattern is of weights, in a safe format."""
    return name.endswith(WEIGHTS)


def selected(names: Iterable[str], patterns: Collection[str]) -> list[str]:
    """The files (`/` between folders) that match one of the patterns; sorted."""
    return sorted(n for n in names if any(fnmatchcase(n, pattern) for pattern in patterns))


def names_in(folder: Path) -> list[str]:
    """The files in a folder and below it, relative to it; none of hidden folders."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(p.as_posix() for p in paths if not any(x.startswith(".") for x in p.parts))


def weights_in(named: str) -> int:
    """Bytes of the weights in a folder and below it; 0 where there is no such folder."""
    folder = Path(named).expanduser()
    if not folder.is_dir():
        return 0
    return sum((folder / name).stat().st_size for name in names_in(folder) if is_weights(name))


def missing(folder: Path, needed: Collection[str], optional: Collection[str] = ()) -> list[str]:
    """What a folder lacks: patterns of `needed` that nothing matches, and shards of weights.

    Shards of all files that match are meant: those that an index file (`*.safetensors.index.json`)
    lists, and those that the shards' own names (`-00001-of-00003`) count.
    Raises ValueError for an index that is none.
    """
    names = set(names_in(folder))
    lacking = [pattern for pattern in needed if not selected(names, (pattern,))]
    wanted: set[str] = set()
    for name in selected(names, (*needed, *optional)):
        if name.endswith(_INDEX):
            wanted |= _indexed(folder / name, name)
        elif (shard := _SHARD.fullmatch(name)) and is_weights(name):
            wanted |= _siblings(shard)
    return lacking + sorted(wanted - names)


def only_pickles(names: Iterable[str]) -> str:
    """A file of weights that are a pickle, where there are no others; else empty."""
    known = list(names)
    if any(map(is_weights, known)):
        return ""
    return next((name for name in sorted(known) if name.endswith(PICKLES)), "")


def _indexed(path: Path, name: str) -> set[str]:
    home = name.rpartition("/")[0]
    try:
        shards = set(json.loads(path.read_text("utf-8"))["weight_map"].values())
        return {f"{home}/{shard}" if home else shard for shard in shards}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise ValueError(f"{name} is no index of safetensors") from None


def _siblings(shard: re.Match[str]) -> set[str]:
    width = len(shard["number"])
    return {
        f"{shard['stem']}-{number:0{width}}-of-{shard['count']}{shard['suffix']}"
        for number in range(1, int(shard["count"]) + 1)
    }
