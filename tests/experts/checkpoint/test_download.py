"""Fetching from a real server that speaks the hub's API, and going on after it was interrupted."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from experts.checkpoint import Kind, download
from experts.checkpoint.formats import names_in
from tests.experts.checkpoint.conftest import KIND, NAMED
from tests.hub import COMMIT, FILES, REPO, Hub

LARGE = "model.safetensors"


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names_in(folder)}


def fetch(kind: Kind = KIND) -> Path:
    return download.fetch(REPO, COMMIT, kind.patterns, pause=0.001)


def refused(kind: Kind = KIND, named: str = NAMED) -> str:
    with pytest.raises(EditmillError) as caught:
        kind.folder(named)
    assert "\n" not in str(caught.value)
    assert kind.option in str(caught.value)
    return str(caught.value)


def test_what_is_fetched_is_what_the_patterns_name(hub: Hub, cache: Path) -> None:
    told: list[tuple[int, int]] = []
    folder = KIND.folder(NAMED, lambda *count: told.append(count))
    assert folder == cache / "checkpoints" / "owner" / "model" / COMMIT
    assert contents(folder) == FILES
    size = sum(map(len, FILES.values()))
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_what_is_here_is_not_asked_for_again(hub: Hub) -> None:
    folder = KIND.folder(NAMED)
    hub.asked.clear()
    assert KIND.folder(NAMED) == folder
    assert not hub.asked


def test_more_of_a_commit_may_be_wanted_later(hub: Hub) -> None:
    few = Kind("few", ("config.json",), "X", REPO, "numpy", "numpy", "depth")
    assert contents(few.folder(NAMED)) == {"config.json": b"{}"}
    assert KIND.present(NAMED) is None
    hub.asked.clear()
    assert contents(KIND.folder(NAMED)) == FILES
    assert not any("config.json" in path or "tree" in path for path in hub.asked)


def test_a_killed_process_is_gone_on_from(hub: Hub, cache: Path) -> None:
    """A process is killed with SIGKILL while the weights arrive; the next one asks for the rest."""
    hub.repos[REPO][LARGE] = weights = os.urandom(3 << 20)
    hub.slow = 0.03
    part = cache / "checkpoints" / "owner" / "model" / COMMIT / f"{LARGE}.part"
    code = f"from tests.experts.checkpoint.conftest import *; KIND.folder({NAMED!r})"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "EDITMILL_CACHE": str(cache)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        until = time.monotonic() + 60
        while not part.is_file() or part.stat().st_size < 1 << 19:
            assert process.poll() is None, "it ended before it was killed"
            assert time.monotonic() < until
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    had = part.stat().st_size
    assert 0 < had < len(weights)
    assert KIND.present(NAMED) is None  # what is there in part is not there
    time.sleep(0.2)  # until the server has seen that nobody listens
    hub.slow, hub.sent = 0.0, {}
    assert contents(KIND.folder(NAMED)) == {**FILES, LARGE: weights}
    assert hub.sent[LARGE] == len(weights) - had


def test_a_broken_connection_is_gone_on_from(hub: Hub) -> None:
    hub.cut[LARGE], hub.cuts = 100_000, 2
    assert contents(fetch()) == FILES
    assert hub.sent[LARGE] == len(FILES[LARGE])


def test_a_server_without_ranges_begins_anew(hub: Hub) -> None:
    hub.cut[LARGE], hub.cuts, hub.ranges = 100_000, 1, False
    told: list[tuple[int, int]] = []
    folder = download.fetch(REPO, COMMIT, KIND.patterns, lambda *c: told.append(c), pause=0.001)
    assert contents(folder) == FILES
    size = sum(map(len, FILES.values()))
    assert told[-1] == (size, size)


def test_a_connection_that_brings_nothing_is_given_up(hub: Hub) -> None:
    hub.cut[LARGE], hub.cuts = 0, 1000
    with pytest.raises(download.UnavailableError):
        fetch()
    assert 1000 - hub.cuts == download.ATTEMPTS


@pytest.mark.parametrize("name", [LARGE, "tokenizer/vocab.json"])
def test_other_bytes_than_the_listed_are_not_kept(hub: Hub, name: str) -> None:
    hub.spoiled.add(name)
    with pytest.raises(download.UnavailableError, match=re.escape(f"{name} has other bytes")):
        fetch()
    assert KIND.present(NAMED) is None
    hub.spoiled.clear()
    assert contents(fetch()) == FILES


def test_two_threads_fetch_once(hub: Hub) -> None:
    hub.slow = 0.01
    threads = [threading.Thread(target=KIND.folder, args=(NAMED,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hub.sent[LARGE] == len(FILES[LARGE])
    assert contents(KIND.folder(NAMED)) == FILES


def test_pickles_alone_are_refused_before_anything_is_fetched(hub: Hub) -> None:
    del hub.repos[REPO][LARGE]
    line = refused()
    assert "only as a pickle (pytorch_model.bin)" in line
    assert not hub.sent


def test_a_commit_without_the_weights_is_said_to_have_none(hub: Hub) -> None:
    for name in (LARGE, "pytorch_model.bin"):
        del hub.repos[REPO][name]
    assert "it has none of model*.safetensors" in refused()


def test_a_shard_that_the_hub_lacks_is_said_to_be_missing(hub: Hub) -> None:
    del hub.repos[REPO][LARGE]
    hub.repos[REPO]["model-00001-of-00002.safetensors"] = b"x" * 5000
    assert "model-00002-of-00002.safetensors missing" in refused()


def test_a_full_disk_is_told_before(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12, 1000))
    line = refused()
    assert "takes 0.0 GB more" in line
    assert "has 0.0 GB free" in line
    assert "EDITMILL_CACHE" in line
    assert not hub.sent


def test_a_gated_repository_says_what_to_do(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.gated.add(REPO)
    line = refused()
    assert f"accept the terms at {hub.url}/{REPO} and set HF_TOKEN" in line
    assert "hf_secret" not in line


def test_no_such_repository_or_commit(hub: Hub) -> None:
    assert "no such repository" in refused(named=f"no/body@{COMMIT}")
    assert "neither here nor to be had" in refused(named=f"{REPO}@{'f' * 40}")


def test_no_server(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    assert "neither here nor to be had" in refused()


def test_without_a_network_the_hub_is_not_tried_for_long(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://hub.invalid")
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    assert "(hub.invalid: " in refused()
    assert not waits


@pytest.mark.parametrize("variable", ["EDITMILL_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_opens_no_connection(
    hub: Hub, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    assert "not on this machine" in refused()
    assert not hub.asked
    monkeypatch.delenv(variable)
    folder = KIND.folder(NAMED)
    monkeypatch.setenv(variable, "1")
    hub.asked.clear()
    assert KIND.folder(NAMED) == folder
    assert not hub.asked


def test_the_newest_commit_is_mains(hub: Hub) -> None:
    assert download.newest(REPO) == COMMIT
    with pytest.raises(download.UnavailableError, match="no such repository"):
        download.newest("no/body")
