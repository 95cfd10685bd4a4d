"""Exports from every storage, and killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import catalog
from catalog.export.formats import format_named
from catalog.export.run import export
from catalog.media import write_video
from catalog.releases import Catalog
from tests.catalog.export.compared import contents, frames, is_valid, report
from tests.catalog.export.conftest import Export
from tests.editmill.small_catalog import FPS, bar, make_pair
from tests.parts import by_key

ROOT = Path(__file__).parents[3]

EXPORT = """
import sys
from pathlib import Path
import catalog
from catalog.export.formats import format_named
from catalog.export.run import export
export(catalog.open(sys.argv[1], ref="v1"), format_named("diffsynth-ltx2"), Path(sys.argv[2]))
"""


def test_media_come_from_any_storage_and_only_a_folders_are_linked(
    storage_uri: str, tmp_path: Path
) -> None:
    made = catalog.open(storage_uri, create=True)
    with made.media.writing(".mp4") as video:
        write_video(video.path, bar(), FPS)
    content = made.path(video.ref).read_bytes()
    made.tables.put("pairs", by_key([make_pair("deblur", video.ref, video.ref)]))
    made.media.flush()
    dataset = catalog.open(storage_uri)
    done = export(dataset, format_named("senorita"), tmp_path / "out")
    assert done.linked == (1 if storage_uri.startswith("/") else 0)
    (source,) = (tmp_path / "out" / "train" / "source").iterdir()
    assert source.read_bytes() == content
    (target,) = (tmp_path / "out" / "train" / "target").iterdir()  # generated, so it is signed
    assert is_valid(report(target.read_bytes()))
    assert (frames(target.read_bytes()) == frames(content)).all()


def test_a_killed_export_goes_on_and_ends_the_same(
    run: Export, dataset: Catalog, tmp_path: Path
) -> None:
    run("diffsynth-ltx2", tmp_path / "undisturbed")
    out = tmp_path / "killed"
    for wanted in (2, 6):  # killed twice
        command = [sys.executable, "-c", EXPORT, str(dataset.root), str(out)]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})
        while child.poll() is None and len(list(out.rglob("*.mp4"))) < wanted:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert not (out / "README.md").exists()
    run("diffsynth-ltx2", out)
    assert contents(out) == contents(tmp_path / "undisturbed")
