"""A catalog of two sources in two selections, in any storage: rows, media and a journal, without
videos that could be played."""

import copy
import dataclasses
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import catalog
from catalog.keeping.forget import Forgotten, erase, find, remember, take_out, trace
from catalog.keys import digest
from catalog.policy import Policy
from catalog.products import Products
from catalog.records import Clip, Failure, LocalEdit, Pair, Plan, Source, Track, failure_id
from catalog.releases import Catalog
from catalog.storage import open_storage
from catalog.storage.location import Storage

FIRST, SECOND = (hashlib.sha256(name.encode()).hexdigest() for name in ("first", "second"))
"""Ids of the sources `first.mp4` and `second.mp4`."""

SELECTIONS = ("a" * 16, "b" * 16)  # the second one is main


@dataclass
class Made:
    """`own` are the media of each source, `swap` and `pasted` what was made of the second's clip
    and a part of the first."""

    uri: str
    own: dict[str, set[str]]
    swap: set[str]
    pasted: str
    shared: str  # a target that a pair of either source has


@pytest.fixture(scope="session")
def two_sources_once(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """In a folder: thirty commits, which nearly every test would wait for."""
    return write(str(tmp_path_factory.mktemp("two sources") / "set"))


@pytest.fixture
def made(two_sources_once: Made, tmp_path: Path) -> Made:
    """A test's own, as young as if it were written just now."""
    shutil.copytree(two_sources_once.uri, tmp_path / "set", copy_function=shutil.copyfile)
    return dataclasses.replace(copy.deepcopy(two_sources_once), uri=str(tmp_path / "set"))


def store(storage: Storage, content: str, suffix: str = ".mp4") -> str:
    """A medium; its reference."""
    sha = hashlib.sha256(content.encode()).hexdigest()
    reference = f"media/{sha[:2]}/{sha}{suffix}"
    storage.write(reference, content.encode())
    return reference


def record(kind: type, **values: Any) -> Any:
    """With these values, and something for each other required field."""
    some = {"str": "", "int": 1, "float": 1.0, "bool": True}
    required = {
        f.name: some.get(str(f.type), {} if str(f.type).startswith("dict") else [])
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    none = {k: None for k in required if k.endswith("_score")}
    return kind(**required | none | values)


def forget(storage: Storage, wanted: str, erasing: bool = False) -> Forgotten:
    """As the command does it."""
    source = find(storage, wanted)
    trace(storage, source)
    remember(storage, source)
    take_out(storage, source)
    if erasing:
        erase(storage, source)
    return source


def clip_id(source: str) -> str:
    return digest("clip", source)


def write(uri: str) -> Made:
    """Selection by selection, each released: `v1`, `v2`."""
    storage = open_storage(uri)
    shared = store(storage, "the same frames")
    own: dict[str, set[str]] = {FIRST: set(), SECOND: set()}
    swap: set[str] = set()
    pasted = ""
    for number, name in enumerate(SELECTIONS, 1):
        opened = catalog.open(uri, create=True).select(name, f"recipe {number}", Policy(), "1")
        opened.become_main()
        for source in (FIRST, SECOND):
            own[source] |= _fill(opened, source, shared)
        swap |= _swap(opened, number)
        pasted = _paste(opened)
        opened.release(f"v{number}", f"recipe {number}")
    for version, seen in ("1" * 12, [FIRST, SECOND]), ("2" * 12, [SECOND]):
        storage.write(f"models/remover/{version}/sources.json", json.dumps(seen).encode())
    Products(storage).put("build", digest("a request"), {"release": "v2"})
    return Made(uri, own, swap, pasted, shared)


def _fill(at: Catalog, source: str, shared: str) -> set[str]:
    """The source with a clip, a track, a plan and two pairs; the media that are its alone."""
    name = "first.mp4" if source == FIRST else "second.mp4"
    clip = clip_id(source)
    video, masks, target = (store(at.storage, f"{what} of {name}") for what in ("c", "m", "t"))
    background = store(at.storage, f"b of {name}", ".png")
    refused = store(at.storage, f"an edit of {name} that no row names")
    track, plan = digest("track", source), digest("plan", source)
    tables = at.tables
    tables.put("sources", {source: [record(Source, source_id=source, name=name, uri=f"u/{name}")]})
    row = record(Clip, clip_id=clip, source_id=source, video=video, background=background)
    tables.put("clips", {clip: [row]})
    tables.put("tracks", {clip: [record(Track, track_id=track, clip_id=clip, masks=masks)]})
    tables.put("plans", {clip: [record(Plan, plan_id=plan, clip_id=clip)]})
    tables.put("pairs", {clip: [_pair(source, k, t) for k, t in enumerate((target, shared))]})
    failed = [f"deblur {plan}", f"modification video {digest('draft', source)}"]
    rows = [Failure(failure_id("edit", f), "edit", f, "too_small", "") for f in failed]
    tables.put("failures", {f"edit/{clip}": rows})
    products = at.products
    products.page("annotate", clip).put({digest("a", clip): {"tracks": [{"masks": masks}]}})
    made = {"made": {"video": target}, "mask": ""}
    products.page("edit", clip).put(
        {digest("e", clip): made, digest("r", clip): {"made": {"video": refused}}}
    )
    products.put("ingest", digest("i", source), {"source": {"source_id": source}, "clips": []})
    return {video, masks, target, refused, background}


def _pair(source: str, number: int, target: str) -> Pair:
    clip = clip_id(source)
    return record(
        Pair, pair_id=digest("pair", source, number), clip_id=clip, source_id=source,
        task="deblur", target_video=target,
    )  # fmt: skip


def _swap(at: Catalog, number: int) -> set[str]:
    """A pair of the second source that shows an object of the first; its media."""
    clip, plan = clip_id(SECOND), digest("plan of a swap")
    media = {
        store(at.storage, f"swap {number}"),
        store(at.storage, f"mask of swap {number}", ".mkv"),
    }
    target, mask = sorted(media)
    params = {"donor": {"source_id": FIRST, "clip_id": clip_id(FIRST)}}
    planned = record(Plan, plan_id=plan, clip_id=clip, task="object_swap", params=params)
    at.tables.put("plans", {f"{clip}/swaps": [planned]})
    swapped = record(
        Pair, pair_id=digest("swap"), clip_id=clip, source_id=SECOND, task="object_swap",
        target_video=target, mask=mask, params=params,
    )  # fmt: skip
    at.tables.put("pairs", {f"{clip}/swaps": [swapped]})
    at.products.page("edit", clip).put({digest("s", number): {"made": {"video": target}}})
    return media


def _paste(at: Catalog) -> str:
    """A local edit of the second source under a mask that is an object of the first."""
    clip, mask = clip_id(SECOND), store(at.storage, "a pasted mask", ".mkv")
    edits = [
        record(
            LocalEdit,
            subset="video",
            task="deletion",
            edit_id=digest("pasted"),
            clip_id=clip,
            source_id=SECOND,
            mask=mask,
            params={"donor_clip": clip_id(FIRST), "donor_first_frame": 0},
        ),
        record(
            LocalEdit,
            subset="video",
            task="addition",
            edit_id=digest("own"),
            clip_id=clip,
            source_id=SECOND,
        ),
    ]
    at.tables.put("local_edits", {clip: edits})
    return mask
