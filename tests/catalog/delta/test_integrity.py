"""What crashes, full disks and partial copies leave of a table: the right rows, or one line."""

import shutil

import pytest

import catalog
from catalog.errors import EditmillError
from catalog.records import Clip
from catalog.tables import Tables
from tests.parts import by_key


def clip(n):
    return Clip(f"c{n}", "s", "u", "CC0", "media/ab/x.mp4", 0, n, 25.0, 96, 80)


@pytest.fixture
def at(tmp_path):
    made = catalog.open(tmp_path / "set", create=True)
    for n in range(4):  # versions 1 to 4, each with a file of its own
        made.tables.put("clips", by_key([clip(n)]))
    return made


def folder(at):
    return at.root / "tables" / "clips"


def commits(at):
    return sorted((folder(at) / "_delta_log").glob("*.json"))


def checkpoint(at, version):
    return folder(at) / "_delta_log" / f"{version:020}.checkpoint.parquet"


def rows(at):
    return catalog.open(at.root).sql("select count(*) as n from clips")["n"][0]


def told(call):
    with pytest.raises(EditmillError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def empty(path):
    path.write_bytes(b"")


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def deeply_nested(path):
    path.write_bytes(b"[" * 100_000)


def no_object(path):
    path.write_bytes(b"[]\n1\n")


def last_line_lost(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def gone(path):
    path.unlink()


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("which", [0, 2, -1])
@pytest.mark.parametrize(
    "damage", [empty, half, zeros, deeply_nested, no_object, last_line_lost, gone, a_folder]
)
def test_a_damaged_commit_is_named(at, damage, which):
    at.release("v1", "")  # it says which commit is the newest
    path = commits(at)[which]
    damage(path)
    # What only Delta sees, or only the release tells, is said of the table.
    if (damage, which) in ((last_line_lost, 0), (gone, -1)):
        path = folder(at)
    for use in (lambda: catalog.open(at.root).clips(), lambda: catalog.open(at.root, "v1").clips()):
        message = told(use)
        assert message.startswith(f"{path}") and "restore it from a copy" in message
    assert f"remove {at.root / 'tables'} and its releases" in message


@pytest.mark.parametrize("damage", [empty, half, zeros, gone, a_folder])
def test_a_damaged_data_file_is_named(at, damage, capfd):
    path = sorted(folder(at).glob("*.parquet"))[1]
    damage(path)
    for use in (at.clips, at.compact, lambda: catalog.open(at.root).clips()):
        assert told(use).startswith(f"{path}: ")
    assert not capfd.readouterr().err  # Rust's panics print to the terminal


def test_a_file_that_is_only_seen_damaged_when_read_is_named(at):
    path = sorted(folder(at).glob("*.parquet"))[1]
    data = bytearray(path.read_bytes())
    data[20:300] = bytes(280)
    path.write_bytes(data)
    assert told(lambda: at.sql("select * from clips")).startswith(f"{path}: cannot be read")


def test_a_checkpoint_that_was_cut_short_can_be_deleted(at):
    path = checkpoint(at, 4)
    path.write_bytes(b"PAR1" + bytes(200))
    message = told(lambda: rows(at))
    assert message.startswith(f"{path}: is damaged; delete it")
    path.unlink()
    assert rows(at) == 4


def test_an_empty_checkpoint_and_a_garbled_hint_cost_nothing(at):
    empty(checkpoint(at, 4))
    (folder(at) / "_delta_log" / "_last_checkpoint").write_bytes(b"\xff\0{")
    assert rows(at) == 4


def test_a_hint_to_a_checkpoint_that_is_not_there_can_be_deleted(at):
    hint = folder(at) / "_delta_log" / "_last_checkpoint"
    hint.write_text('{"version": 3, "size": 9}')
    assert told(lambda: rows(at)) == (
        f"{hint}: names a checkpoint that is not there; delete this file"
    )
    hint.unlink()
    assert rows(at) == 4


def test_a_whole_checkpoint_stands_for_the_commits_before_it(at):
    at.tables._at("clips").open().create_checkpoint()
    gone(commits(at)[1])
    assert rows(at) == 4
    half(checkpoint(at, 4))
    assert "restore it from a copy" in told(lambda: rows(at))


@pytest.mark.parametrize(
    "what", ["log", "log_emptied", "log_a_file", "table_a_file", "tables_a_file"]
)
def test_data_without_a_log_is_no_empty_table(at, what):
    log = folder(at) / "_delta_log"
    lost = {"table_a_file": log.parent, "tables_a_file": log.parents[1]}.get(what, log)
    shutil.rmtree(lost)
    if what == "log_emptied":
        lost.mkdir()
    elif what != "log":
        empty(lost)
    named = lost if what == "tables_a_file" else log
    assert told(lambda: catalog.open(at.root).clips()).startswith(f"{named}: ")


def test_a_table_that_lost_what_a_release_holds(at):
    at.release("v1", "")
    shutil.rmtree(folder(at))
    message = told(lambda: catalog.open(at.root))
    assert message.startswith(f"{folder(at)}: is missing, but release 'v1' holds version 4")
    shutil.rmtree(at.root / "tables")  # as the message says
    shutil.rmtree(at.root / "releases")
    (at.root / "media" / "ab").mkdir(parents=True, exist_ok=True)
    (at.root / "media" / "ab" / "x.mp4").write_bytes(b"frames")
    assert "has media but no tables" in told(lambda: catalog.open(at.root))
    at = catalog.open(at.root, create=True)  # a build
    assert at.tables.put("clips", by_key([clip(0)])) == 1


def test_a_query_asks_for_no_table_it_does_not_name(at):
    at.tables.put("models", by_key([]))
    empty(commits(at)[-1])
    assert catalog.open(at.root).sql("select count(*) as n from failures")["n"][0] == 0
    told(lambda: catalog.open(at.root).sql("show tables"))


def test_files_are_opened_once(at, monkeypatch):
    """A look at a table costs its listing: what was found whole is not read again."""
    rows(at)
    read = []
    monkeypatch.setattr("catalog.delta.integrity.json.loads", lambda text: read.append(text))
    monkeypatch.setattr("catalog.delta.integrity.pl.read_parquet_schema", read.append)
    assert isinstance(at.tables, Tables) and at.tables.version("clips") == 4
    assert not read


@pytest.mark.parametrize("ref", ["main", "v1"])
@pytest.mark.parametrize("read_before", [False, True])
@pytest.mark.parametrize(
    ("lost", "said"), [("", "set: is no longer there; it was renamed"), ("tables", "is no longer")]
)
def test_a_folder_that_went_after_it_was_opened_is_told(at, ref, read_before, lost, said):
    at.release("v1")
    opened = catalog.open(at.root, ref)
    if read_before:
        assert opened.clips().collect().height == 4
    shutil.move(at.root / lost, at.root.parent / "elsewhere")
    message = told(opened.clips)
    assert said in message and "remove" not in message.replace("removed", "")
    assert told(opened.releases) == message
    assert told(lambda: at.tables.put("clips", by_key([clip(9)]))) == message
