"""The command as a user meets it: a process, its output, its exit code."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import catalog
from catalog import media
from catalog.records import Pair, from_row
from flows.cli import app
from tests.catalog.export.compared import is_valid, report
from tests.flows.forked import Command, Forking

RECIPE = """
name: tiny
sources: [{{kind: folder, path: {folder}}}]
footage: {{screen: null, watermark: null}}  # blocks of one colour are as a screen has them
clips: {{max_frames: 33}}
annotate: {{keyframe_seconds: 1.4}}  # there is nothing to detect
plan:
  edits_per_clip: 2
  frames: 8
  weights: {{colorization: 1, deblur: 1, upscaling: 1, canny_to_video: 1, outpainting: 1}}
run: {{shard_size: 1}}
"""


@dataclass
class Ended:
    """A command's exit code and output."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture(scope="module")
def forking(home: Path) -> Iterator[Forking]:
    forking = Forking(home)
    yield forking
    forking.close()


Editmill = Callable[..., Ended]


@pytest.fixture(scope="module")
def editmill(forking: Forking, home: Path) -> Editmill:
    """`editmill(*args, **env)`: a command that has ended."""

    def run(*args: object, **env: str) -> Ended:
        command = forking.start(*args, env=_env(home) | env)
        code = command.end()
        return Ended(code, command.out.read_text(), command.err.read_text())

    return run


def _env(home: Path) -> dict[str, str]:
    return os.environ | {"PREFECT_HOME": str(home), "COLUMNS": "160"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe over two synthetic videos, of two clips and of one, and a broken one."""
    folder = tmp_path_factory.mktemp("footage")
    rng = np.random.default_rng(0)
    for name, count in (("a", 66), ("b", 33)):
        texture = rng.integers(0, 255, (12, 40, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        frames = np.stack([texture[:160, 4 * t : 4 * t + 256] for t in range(count)])
        media.write_video(folder / f"{name}.mp4", frames, 25)
    (folder / "broken.mp4").write_bytes(b"no video")
    path = folder / "tiny.yaml"
    path.write_text(RECIPE.format(folder=folder))
    return path


def test_help_shows_examples(editmill: Editmill) -> None:
    for command in ("build", "query", "edit", "judge"):
        shown = editmill(command, "--help")
        assert shown.returncode == 0
        assert f"editmill {command}" in shown.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["build", "nosuch"], "nosuch: no such recipe"),
        (["build", "{tmp}/wrong.yaml", "--out", "{tmp}/out"], "unknown key `speed`"),
        (["build", "embedded", "--source", "{tmp}/nowhere", "--out", "{tmp}/o"], "not a folder"),
        (["build", "{tmp}/right.yaml", "--out", "/proc/editmill"], "/proc/editmill"),
        (["build", "{tmp}/deep.yaml", "--out", "{tmp}/deep"], "set EDITMILL_DEPTH"),
        (["query", "select 1", "--catalog", "{tmp}"], "is not a catalog"),
        (["edit", "object_remval", "x.mp4", "--out", "o.mp4"], "'object_remval' is not known"),
        (["edit", "deblur", "{tmp}/none.mp4", "--out", "o.mp4"], "none.mp4"),
        (["edit", "deblur", "{tmp}/text.mp4", "--out", "{tmp}/o.mp4"], "text.mp4"),
        (["edit", "deblur", "{tmp}/text.mp4", "--out", "o.gif"], "name it *.mp4"),
        (["judge", "a.mp4", "b.mp4", "--task", "deblur", "--instruction", "x"], "a.mp4"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(
    args: list[str], says: str, tmp_path: Path, editmill: Editmill
) -> None:
    (tmp_path / "wrong.yaml").write_text("name: x\nspeed: 3\n")
    (tmp_path / "right.yaml").write_text(RECIPE.format(folder=tmp_path))
    deep = RECIPE.format(folder=tmp_path).replace("deblur: 1", "depth_detection: 1")
    (tmp_path / "deep.yaml").write_text(deep)
    (tmp_path / "text.mp4").write_text("not a video")
    result = editmill(*(arg.format(tmp=tmp_path) for arg in args))
    assert result.returncode == 1
    assert says in result.stderr
    assert result.stderr.startswith("editmill: ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "deep").exists()  # before any work


def test_no_network_with_a_cold_cache(tmp_path: Path, editmill: Editmill) -> None:
    result = editmill(
        "build", "embedded", "--out", tmp_path / "out",
        EDITMILL_CACHE=str(tmp_path / "cold"), EDITMILL_OFFLINE="1",
    )  # fmt: skip
    assert result.returncode == 1
    assert "weights clip_" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def calm(recipe: Path, tmp_path_factory: pytest.TempPathFactory, editmill: Editmill) -> Path:
    """The catalog of an undisturbed build."""
    root = tmp_path_factory.mktemp("calm")
    first = editmill("build", recipe, "--out", root, "--json")
    assert first.returncode == 0, first.stderr
    outcome = json.loads(first.stdout)
    assert outcome["totals"]["made"] == outcome["totals"]["planned"] == 6
    assert outcome["totals"]["failures"] == 1
    return root


@pytest.mark.weights
@pytest.mark.timeout(1800)
def test_a_pair_is_rebuilt_from_its_row_byte_for_byte(calm: Path, tmp_path: Path) -> None:
    """In this process, which is another one than the build's; its models are loaded once."""
    pairs = catalog.open(calm).pairs().sort("task", "pair_id").unique("task").collect()
    assert len(pairs) >= 3
    for pair in pairs.iter_rows(named=True):
        again = tmp_path / pair["task"]
        args = ["rebuild", pair["pair_id"][:8], "--catalog", calm, "--out", again, "--check"]
        result = CliRunner().invoke(app, [str(arg) for arg in args], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "identical, byte for byte" in result.output
        for side in ("source", "target"):
            stored = catalog.open(calm).path(pair[f"{side}_video"])
            assert (again / f"{side}.mp4").read_bytes() == stored.read_bytes()
        assert sorted(p.name for p in again.iterdir()) == sorted(
            name
            for name in ("source.mp4", "target.mp4", "mask.mkv" if pair["mask"] else "")
            if name
        )


@pytest.mark.weights
@pytest.mark.timeout(1800)
def test_a_line_in_the_recipe_switches_content_credentials_off(
    recipe: Path, calm: Path, tmp_path: Path
) -> None:
    """The rows are the same, so that nothing is made again, and the first release keeps its own."""
    root, off = tmp_path / "catalog", tmp_path / "off.yaml"
    shutil.copytree(calm, root)
    off.write_text(recipe.read_text() + "credentials: false\n")
    built = CliRunner().invoke(app, ["build", str(off), "--out", str(root)])
    assert built.exit_code == 0, built.output
    assert [each.tag for each in catalog.open(root).releases()] == ["v1", "v2"]
    for ref, signs in (("v1", True), ("v2", False), ("main", False)):
        out = tmp_path / ref
        where = ("--where", "keep or not keep")
        args = ["export", "vefx", "--ref", ref, "--catalog", str(root), "--out", str(out), *where]
        told = CliRunner().invoke(app, args, catch_exceptions=False)
        assert told.exit_code == 0, told.output
        pairs = catalog.open(root, ref=ref).pairs().collect()
        assert ("generated videos carry content credentials" in told.stdout) == signs
        for pair in pairs.iter_rows(named=True):
            for side in ("source", "target"):
                video = (out / "train" / side / f"{pair['pair_id']}.mp4").read_bytes()
                signed = report(video)
                assert signed["present"] == (signs and side == pair["generated_side"])
                assert not signed["present"] or is_valid(signed)


@pytest.mark.weights
@pytest.mark.timeout(1800)
def test_a_pair_that_differs_is_told_and_fails_the_check(
    calm: Path, tmp_path: Path, editmill: Editmill
) -> None:
    altered = tmp_path / "altered"
    shutil.copytree(calm, altered)
    tables = catalog.open(altered).tables
    pair = from_row(Pair, tables.scan("pairs").collect().row(0, named=True))
    others = [each for each in tables.records("pairs") if each.clip_id == pair.clip_id]
    broken = dataclasses.replace(pair, source_video="media/00/00.mp4")
    tables.put("pairs", {pair.clip_id: [*others, broken]})  # of one key the last counts
    args = ["rebuild", pair.pair_id, "--catalog", str(altered), "--check"]
    result = CliRunner().invoke(app, args, catch_exceptions=False)
    assert result.exit_code == 1
    assert "source differ" in result.stdout
    missing = editmill("rebuild", "zz", "--catalog", altered)
    assert missing.returncode == 1
    assert missing.stderr.startswith("editmill: 'zz': no pair begins with that id")


@pytest.mark.weights
@pytest.mark.timeout(1800)
def test_a_killed_build_ends_with_the_rows_of_an_undisturbed_one(
    recipe: Path, calm: Path, tmp_path: Path, forking: Forking, home: Path
) -> None:
    rough = tmp_path / "rough"

    def interrupted(how: signal.Signals, products: int) -> tuple[int, str]:
        return _interrupt(forking.start("build", recipe, "--out", rough, env=_env(home)),
                          rough, how, products)  # fmt: skip

    interrupted(signal.SIGKILL, products=1)
    # It must be at work: before, a signal would end it without a word of going on.
    code, printed = interrupted(signal.SIGINT, products=max(3, len(_edits(rough)) + 1))
    assert code == 130
    assert "same command" in printed
    done = _edits(rough)
    command = ["build", str(recipe), "--out", str(rough)]
    last = CliRunner().invoke(app, [*command, "--json"])  # a third process
    assert last.exit_code == 0, last.output
    stages = {line["stage"]: line for line in json.loads(last.stdout)["stages"]}
    assert stages["edit"]["reused"] == len(done) >= 3
    assert done.items() <= _edits(rough).items()

    for table in ("sources", "clips", "tracks", "plans", "pairs", "failures"):
        rows = [_rows(root, table) for root in (calm, rough)]
        assert rows[0].equals(rows[1]), table
    assert not list((rough / "media" / ".tmp").glob("*"))

    again = CliRunner().invoke(app, command)
    assert "Nothing was left to do" in again.stdout
    assert catalog.open(rough).failures().collect()["reason"].to_list() == ["corrupt_video"]


def _rows(root: Path, table: str) -> pl.DataFrame:
    frame = catalog.open(root).tables.scan(table).collect()
    return frame.sort(frame.columns[0])


def _edits(root: Path) -> dict[str, str]:
    """The edits in the journal: each product's key and what it says."""
    pages = [json.loads(path.read_text()) for path in (root / "work" / "edit").rglob("*.json")]
    return {key: json.dumps(product) for page in pages for key, product in page.items()}


def _interrupt(build: Command, out: Path, how: signal.Signals, products: int) -> tuple[int, str]:
    """Sends the signal once the build has journalled that many edits; its exit code and output."""
    try:
        deadline = time.monotonic() + 240
        while len(_edits(out)) < products:
            assert build.running, build.err.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        build.send_signal(how)
        return build.end(), build.out.read_text() + build.err.read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):  # the server that a killed build leaves
            os.killpg(build.pid, signal.SIGKILL)
