"""Remote videos become media of the catalog, once, and are told apart from what is no video."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from catalog.errors import BadInput
from catalog.keeping.garbage import collect
from catalog.records import Source
from flows.recipe import parse
from flows.runtime.context import Context, Stopped, context
from flows.runtime.results.answers import KeptAnswers, end_rounds
from flows.runtime.servers.hosts import AWAY_AFTER
from flows.sources.http import NoUsableAnswer
from flows.sources.source import RemoteVideo, SourceFile
from flows.stages.clips import fetch, ingest, look

RECIPE = "name: x\nsources: [{kind: folder, path: none}]\nplan: {weights: {deblur: 1}}\n"


@dataclass(frozen=True)
class Copying:
    """An address on this machine that notes when it is asked."""

    path: Path
    log: Path
    host: str = ""

    def download(self, to: Path, check_stop: Callable[[], None]) -> None:
        check_stop()
        with self.log.open("a") as log:
            print(self.path.name, file=log)
        if not self.path.exists():
            raise BadInput("no_longer_there", f"{self.path.name}: gone")
        shutil.copy(self.path, to)


class Failing(Copying):
    """Of a server that does not answer."""

    def download(self, to: Path, check_stop: Callable[[], None]) -> None:
        with self.log.open("a") as log:
            print("away", file=log)
        raise NoUsableAnswer(f"{self.host}: no usable answer in 6 tries")


@pytest.fixture
def ctx(tmp_path: Path) -> Context:
    return context(tmp_path / "catalog", parse(RECIPE, "x"))


@pytest.fixture
def remote(tmp_path: Path, write, scene) -> RemoteVideo:
    path = write("m.mp4", scene(40, 96, 128))
    address = Copying(path, tmp_path / "log")
    page = "https://example.org/video/7"
    return RemoteVideo("stock/7", "stock:7", page, "CC-BY-4.0", "Ann (her page)", address)


def asked(video: RemoteVideo) -> list[str]:
    log = video.address.log  # type: ignore[attr-defined]
    return log.read_text().split() if log.exists() else []


def test_a_video_is_fetched_once_under_whatever_link(ctx: Context, remote: RemoteVideo) -> None:
    (first,) = fetch.run(ctx, [remote])
    moved = replace(remote, address=Copying(Path("another-link"), Path("nowhere")))
    (second,) = fetch.run(ctx, [moved])
    assert asked(remote) == ["m.mp4"]
    assert first.media == second.media
    assert fetch.path_of(ctx, second).read_bytes() == remote.address.path.read_bytes()  # type: ignore[attr-defined]


def test_files_on_this_machine_pass(ctx: Context, remote: RemoteVideo, tmp_path: Path) -> None:
    here = SourceFile(tmp_path / "a.mp4", "a.mp4", "a.mp4", "CC0-1.0")
    assert [file.name for file in fetch.run(ctx, [here, remote])] == ["a.mp4", "stock/7"]


def test_what_is_gone_has_a_row_and_is_not_asked_for_again(
    ctx: Context, remote: RemoteVideo
) -> None:
    remote.address.path.unlink()  # type: ignore[attr-defined]
    for _ in range(2):
        assert fetch.run(ctx, [remote]) == []
    (row,) = ctx.catalog.failures().collect().rows(named=True)
    assert (row["stage"], row["record"], row["reason"]) == ("fetch", "stock/7", "no_longer_there")
    assert asked(remote) == ["m.mp4"]
    assert not ctx.worth_retrying


def test_a_host_that_is_away_is_left_alone_and_asked_again_by_the_next_build(
    ctx: Context, remote: RemoteVideo
) -> None:
    address = Failing(remote.address.path, remote.address.log, "a.example")  # type: ignore[attr-defined]
    away = [
        replace(remote, name=f"stock/{k}", identity=f"stock:{k}", address=address)
        for k in range(10, 19)
    ]
    for ran in range(1, 3):
        assert [file.name for file in fetch.run(ctx, [*away, remote])] == ["stock/7"]
        # Those side by side with the last of them may have begun.
        assert AWAY_AFTER * ran <= asked(remote).count("away") < (AWAY_AFTER + fetch.AT_ONCE) * ran
        (note,) = ctx.notes
        assert note.startswith("a.example did not answer for 3 videos in a row")
        rows = ctx.catalog.failures().collect()
        assert rows.height == 9 and set(rows["reason"]) == {"unreachable"}
        assert ctx.worth_retrying
        ctx = context(ctx.uri, ctx.recipe)


def test_one_that_fails_does_not_have_the_others_fetched_again(
    ctx: Context, remote: RemoteVideo, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    gone = replace(
        remote, name="stock/8", identity="stock:8", address=Copying(tmp_path / "gone.mp4", log)
    )
    assert [file.name for file in fetch.run(ctx, [remote, gone])] == ["stock/7"]
    assert sorted(asked(remote)) == ["gone.mp4", "m.mp4"]


def test_nothing_is_left_of_a_download_that_was_stopped(ctx: Context, remote: RemoteVideo) -> None:
    ctx.stop.set()
    with pytest.raises(Stopped):
        fetch.run(ctx, [remote])
    ctx.stop.clear()
    assert len(fetch.run(ctx, [remote])) == 1


@pytest.mark.weights
def test_its_rights_travel_with_everything_and_its_file_stays(
    ctx: Context, remote: RemoteVideo
) -> None:
    files = fetch.run(ctx, [remote])
    (clip,) = ingest.run(ctx, look.run(ctx, files))
    assert (clip.uri, clip.licence, clip.author) == (
        "https://example.org/video/7", "CC-BY-4.0", "Ann (her page)",
    )  # fmt: skip
    (source,) = ctx.catalog.tables.records("sources")
    assert isinstance(source, Source)
    assert (source.name, source.author, source.media) == (
        "stock/7", "Ann (her page)", files[0].media,
    )  # fmt: skip
    collect(ctx.catalog.storage, older_than=-1)
    assert ctx.catalog.path(source.media).is_file()


def test_footage_that_nothing_was_made_of_is_fetched_again_only_when_it_is_wanted(
    ctx: Context, remote: RemoteVideo
) -> None:
    (file,) = fetch.run(ctx, [remote])
    collect(ctx.catalog.storage, older_than=-1)
    assert not ctx.catalog.path(file.media).exists()
    (again,) = fetch.run(ctx, [remote])
    assert asked(remote) == ["m.mp4"]
    assert fetch.path_of(ctx, again).is_file()
    assert asked(remote) == ["m.mp4", "m.mp4"]


def test_a_link_that_gives_something_else_by_now_is_refused(
    ctx: Context, remote: RemoteVideo, write, scene
) -> None:
    (file,) = fetch.run(ctx, [remote])
    collect(ctx.catalog.storage, older_than=-1)
    write("m.mp4", scene(40, 80, 112))
    with pytest.raises(BadInput, match="not what was fetched before"):
        fetch.path_of(ctx, file)


def test_a_round_ends_with_a_release(ctx: Context) -> None:
    answers = KeptAnswers(ctx)
    assert [answers.rounds("dogs"), answers.rounds("dogs")] == [1, 1]
    ctx.rounds.clear()  # killed, and started again
    assert answers.rounds("dogs") == 1
    end_rounds(ctx)
    ctx.rounds.clear()
    assert (answers.rounds("dogs"), answers.rounds("cats")) == (2, 1)
    assert answers.get("a-question") is None
    answers.put("a-question", {"ids": [7]})
    assert KeptAnswers(ctx).get("a-question") == {"ids": [7]}
