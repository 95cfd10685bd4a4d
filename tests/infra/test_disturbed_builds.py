"""The short runs of `infra/bench/builds/kills.py` and `infra/bench/builds/away.py`."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from infra.bench.builds.away import differs, storages
from infra.bench.builds.kills import Builds, difference, disturbed, footage
from tests.servers import running_lakefs

KILLS = 2
IN_HAND = 2
"""Records that the two workers of a build are at."""


@pytest.mark.timeout(600)
def test_a_build_that_is_killed_and_restarted_is_the_undisturbed_one(tmp_path: Path) -> None:
    footage(tmp_path / "videos", 1)
    whole, broken = (Builds(tmp_path, name, "threads") for name in ("undisturbed", "killed"))
    whole.finish()
    killed = disturbed(broken, KILLS, len(whole.made()), random.Random(0))
    assert killed == {"driver": KILLS}
    assert difference(whole.out, broken.out) == []
    made = Counter(broken.made())
    assert made.total() - len(made) <= KILLS * IN_HAND


@pytest.mark.timeout(600)
def test_a_build_waits_for_a_storage_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server").mkdir()
    with running_lakefs(tmp_path / "server") as server:
        for name, value in (server.s3_environment() | server.lakefs_environment()).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("EDITMILL_STORAGE_CACHE", str(tmp_path / "local copies"))
        uri = storages(server)[1]
        assert differs(tmp_path, server, uri, clips=1, seconds=3) == []
