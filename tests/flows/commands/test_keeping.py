"""`editmill upgrade`, `forget` and `collect`."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

import catalog
from tests.catalog import format_1


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return format_1.write(tmp_path / "old")


def say_that_a_build_runs(root: Path) -> None:
    now = datetime.now(UTC).isoformat()
    status = {
        "recipe": "tiny", "state": "running", "started_at": now, "updated_at": now, "seconds": 1,
        "host": socket.gethostname(), "pid": os.getpid(),
        "process_started": psutil.Process().create_time(), "stages": [], "tasks": {},
        "peak_memory_mb": 1,
    }  # fmt: skip
    (root / "work").mkdir(exist_ok=True)
    (root / "work" / "status.json").write_text(json.dumps(status))


def test_upgrade_says_what_it_did_and_when_nothing_is_to_be_done(editmill, old: Path):
    (old / "work" / "status.json").unlink()
    told = editmill("upgrade", "--catalog", old)
    assert "from catalog format 1 to 2" in told and "v1, v2" in told
    assert "nothing is to be done" in editmill("upgrade", "--catalog", old)
    assert json.loads(editmill("upgrade", "--catalog", old, "--json")) == {
        "before": 2, "format": 2, "products": 0, "releases": [], "trained": [],
    }  # fmt: skip


def test_what_writes_says_to_upgrade_first(refused, old: Path, tmp_path: Path):
    (old / "work" / "status.json").unlink()
    remedy = f"editmill upgrade --catalog {old}"
    assert remedy in refused("build", "--out", old)


def test_nothing_is_upgraded_while_a_build_runs(refused, old: Path):
    say_that_a_build_runs(old)
    assert "a build runs in it" in refused("upgrade", "--catalog", old)
    assert catalog.open(old).format == 1
