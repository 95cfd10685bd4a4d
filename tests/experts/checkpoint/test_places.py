"""Where a commit is found without asking the hub."""

import os
from pathlib import Path

import huggingface_hub
import pytest

from catalog.errors import EditmillError
from tests.experts.checkpoint.conftest import KIND, NAMED, laid
from tests.hub import COMMIT, FILES, REPO, Hub


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("EDITMILL_MIRROR", os.pathsep.join((str(tmp_path), str(folder))))
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    return folder


def test_a_mirror_may_name_the_commit(mirror: Path) -> None:
    folder = laid(mirror / REPO / COMMIT, FILES)
    assert KIND.folder(NAMED) == folder
    assert KIND.present(f"{REPO}@{'f' * 40}") is None


def test_a_mirror_may_hold_what_the_hubs_command_left(mirror: Path, hub: Hub) -> None:
    """Downloaded with `local_dir` by the hub's own client, which notes the commit."""
    huggingface_hub.snapshot_download(
        REPO, revision=COMMIT, local_dir=mirror / REPO, endpoint=hub.url
    )
    assert KIND.folder(NAMED) == mirror / REPO
    assert KIND.present(f"{REPO}@{'f' * 40}") is None


def test_a_folder_that_does_not_say_its_commit_is_not_taken_for_it(mirror: Path) -> None:
    laid(mirror / REPO, FILES)
    assert KIND.present(NAMED) is None


def test_a_mirror_comes_before_what_was_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = KIND.folder(NAMED)
    monkeypatch.setenv("EDITMILL_MIRROR", str(tmp_path))
    assert KIND.folder(NAMED) == fetched
    folder = laid(tmp_path / REPO / COMMIT, FILES)
    assert KIND.folder(NAMED) == folder


def test_what_was_fetched_is_a_mirror(
    hub: Hub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    KIND.folder(NAMED)
    monkeypatch.setenv("EDITMILL_MIRROR", str(cache / "checkpoints"))
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "other"))
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    assert KIND.folder(NAMED).is_relative_to(cache)


def test_the_hubs_own_cache_serves(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    cached = huggingface_hub.constants.HF_HUB_CACHE
    huggingface_hub.snapshot_download(
        REPO, revision=COMMIT, allow_patterns=["*.json"], cache_dir=cached, endpoint=hub.url
    )
    assert KIND.present(NAMED) is None  # no weights
    whole = huggingface_hub.snapshot_download(
        REPO, revision=COMMIT, cache_dir=cached, endpoint=hub.url
    )
    hub.asked.clear()
    assert KIND.folder(NAMED) == Path(whole)
    assert not hub.asked


def test_a_mirror_that_is_not_there_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITMILL_MIRROR", "/no/such")
    with pytest.raises(EditmillError, match="EDITMILL_MIRROR: /no/such is no folder"):
        KIND.folder(NAMED)
