"""What an export's folder holds, in a form in which two exports can be compared: no two signatures
are alike, so a signed video stands for its frames and what an independent reader says of it."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import encypher_c2pa

from catalog.media import read_video


def contents(folder: Path) -> dict[str, Any]:
    """By path; where a file names its folder, as one trainer's settings do, it says OUT."""
    own = str(folder).encode()
    return {
        path.relative_to(folder).as_posix(): _comparable(
            path.name, path.read_bytes().replace(own, b"OUT")
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def videos(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every MP4, those in tar shards too."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".mp4":
            yield path.relative_to(folder).as_posix(), path.read_bytes()
        elif path.suffix == ".tar":
            members = _members(path.read_bytes()).items()
            yield from ((name, data) for name, data in members if name.endswith(".mp4"))


def report(content: bytes) -> Mapping[str, Any]:
    """What a reader that shares no code with what signs says of an MP4; it asks nobody."""
    return encypher_c2pa.verify(content, "video/mp4", online=False, telemetry=False)


def is_valid(told: Mapping[str, Any]) -> bool:
    """Whether signature, statement and pictures belong together."""
    return (told["integrity"], told["hard_binding"]) == ("valid", "match")


def actions(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that the credentials tell, in their order."""
    stored = told["manifest_report"]
    assertions = stored["manifests"][stored["active_manifest"]]["assertions"]
    (found,) = (a["data"]["actions"] for a in assertions if a["label"] == "c2pa.actions.v2")
    return list(found)


def said(told: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the action that made the video."""
    (found,) = (a["parameters"] for a in actions(told) if "seed" in a.get("parameters", {}))
    return dict(found)


def frames(content: bytes) -> Any:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(content)
        file.flush()
        return read_video(file.name)


def _members(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def _comparable(name: str, content: bytes) -> Any:
    if name.endswith(".tar"):
        return {key: _comparable(key, data) for key, data in _members(content).items()}
    if name.endswith(".mp4") and (told := report(content))["present"]:
        shown = hashlib.sha256(frames(content).tobytes()).hexdigest()
        return is_valid(told), said(told), len(actions(told)), shown
    return content
