"""A tiny generated video, its provenance document, and a reader that shares no code with what
signs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from encypher_c2pa import verify

import catalog
from catalog.credentials.identity import SigningIdentity, own_identity
from catalog.media import write_video
from catalog.provenance import Provenance, provenance
from tests.editmill.small_catalog import FPS, bar, make_pair
from tests.parts import by_key

PLACE = "/home/somebody/holiday.mp4"
MASK = f"media/cc/{'c' * 64}.mkv"
DONOR = {"source_id": "d" * 64, "uri": "file:donor", "licence": "CC0-1.0", "clip_id": "other"}

EDITS: dict[str, dict[str, Any]] = {
    "footage edited by a network": dict(mask=MASK, expert_version="7+6f1f3530"),
    "footage edited by arithmetic": dict(expert_version="2"),
    "everything made by a network": dict(expert_version="1+0a2a0c94"),
    "footage pasted in": dict(mask=MASK, expert_version="1+7+6f1f3530", params={"donor": DONOR}),
}
"""Columns of the kinds of edit that credentials tell apart."""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "made.mp4"
    write_video(path, bar(), FPS)
    return path


@pytest.fixture(params=EDITS, ids=lambda name: name.replace(" ", "-"))
def document(request: pytest.FixtureRequest, tmp_path: Path) -> Provenance:
    """Of each kind of edit."""
    return document_of(tmp_path, EDITS[request.param])


def document_of(tmp_path: Path, columns: dict[str, Any]) -> Provenance:
    dataset = catalog.open(tmp_path / "catalog", create=True)
    sides = (f"media/{n}{n}/{n * 64}.mp4" for n in "ab")
    pair = make_pair(
        "object_removal", *sides, source_id="5" * 64, seed=7, source_uri=PLACE, **columns
    )
    dataset.tables.put("pairs", by_key([pair]))
    return provenance(dataset, pair.pair_id)


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> SigningIdentity:
    return own_identity(tmp_path_factory.mktemp("configuration"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch):
    """`read(path)`: what the reader reports of a file. It asks nobody and tells nobody."""
    monkeypatch.setenv("ENCYPHER_C2PA_TELEMETRY", "off")
    return lambda path, **options: verify(path, "video/mp4", online=False, **options)
