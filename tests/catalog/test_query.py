"""Queries: lazy frames and SQL."""

import subprocess
import sys

import polars as pl
import pytest

import catalog
from catalog.errors import EditmillError
from catalog.query import sql
from catalog.records import TABLES, Clip, Failure
from tests.parts import by_key


@pytest.fixture
def at(tmp_path):
    made = catalog.open(tmp_path / "set", create=True)
    made.tables.put(
        "clips",
        by_key(
            [Clip(f"c{n}", "s", "u", "CC0", "media/ab/x.mp4", 0, n, 25.0, 96, 80) for n in range(5)]
        ),
    )
    made.tables.put("failures", by_key([Failure("f", "ingest", "c1", "corrupt_video", "")]))
    return made


def test_every_table_is_a_lazy_frame(at):
    frames = [at.pairs(), at.clips(), at.tracks(), at.failures(), at.models(), at.sources()]
    assert all(isinstance(frame, pl.LazyFrame) for frame in frames)
    assert [len(frame.collect()) for frame in frames] == [0, 5, 0, 1, 0, 0]


def test_media_columns_become_paths(at):
    ref = at.clips().collect()["video"][0]
    assert at.path(ref) == at.root / "media" / "ab" / "x.mp4"


def test_sql(at):
    found = at.sql(
        "SELECT c.clip_id, f.reason FROM clips c JOIN failures f ON f.record = c.clip_id"
    )
    assert found.rows() == [("c1", "corrupt_video")]
    assert sql(at, "SELECT SUM(frames) AS n FROM clips")["n"][0] == 10
    assert sql(at, "SELECT * FROM pairs").is_empty()


def test_sql_at_a_release(at):
    at.release("v1", "")
    at.tables.drop("clips", ["c0", "c1"])
    count = "SELECT COUNT(*) AS n FROM clips"
    assert catalog.open(at.root, "v1").sql(count)["n"][0] == 5
    assert at.sql(count)["n"][0] == 3


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT captoin FROM clips", ["captoin", "mean caption", '"select * from clips limit 1"']),
        ("SELECT c.captoin FROM clips c JOIN pairs p ON c.clip_id = p.clip_id", ["mean caption"]),
        ("SELECT nowhere FROM scores", ["nowhere", '"select * from scores limit 1"']),
        ("SELECT frames, frames FROM clips", ["duplicate output name 'frames'"]),
        ("SELECT * FROM clip", ["'clip'", *TABLES, "scores"]),
        ("SELECT * FROM clips c JOIN pair p ON c.clip_id = p.clip_id", ["'pair'", "tables are"]),
        ("SELEC * FROM clips", ["SELEC"]),
        ("SELECT '\udc80' FROM clips", ["no UTF-8"]),  # from a terminal
        ("", ["no query", "the tables are"]),
        (" -- only a comment", ["no query"]),
        (";", ["SQL:"]),
        ("SELECT nothing_like_it(frames) FROM clips", ["nothing_like_it"]),
        ("SELECT 1 + " + "(" * 3000 + "1" + ")" * 3000 + " FROM clips", ["recursion"]),
        ("SELECT * FROM read_parquet('/nowhere.parquet')", ["/nowhere.parquet"]),
        ("SELECT frames FROM clips; DELETE FROM clips", ["only one) statement"]),
    ],
)
def test_a_wrong_query_is_one_line_that_helps(at, query, told):
    with pytest.raises(EditmillError) as caught:
        at.sql(query)
    message = str(caught.value)
    assert "\n" not in message
    assert "clip_id, " not in message  # 65 columns hide what is wrong
    assert all(word in message for word in told), message


@pytest.mark.parametrize(
    ("query", "verb"),
    [
        ("delete from clips", "DELETE"),
        ("DELETE FROM clips WHERE frames = 1", "DELETE"),
        ("\n -- all of them\n /* a\n b */ dElEtE/**/from clips", "DELETE"),
        ("insert into clips values (1)", "INSERT"),
        ("update clips set frames = 0", "UPDATE"),
        ("create table more as select * from clips", "CREATE"),
        ("drop table clips", "DROP"),
        ("truncate clips", "TRUNCATE"),
        ("alter table clips add column c int", "ALTER"),
        ("explain delete from clips", "DELETE"),
        ("describe clips", "DESCRIBE"),
        ("show columns from clips", "SHOW COLUMNS; a table's columns"),
        ("-- which?\nShow Create Table clips", "SHOW CREATE; a table's columns"),
        ("show databases", "SHOW DATABASES;"),
        ("show clips", "SHOW CLIPS;"),
    ],
)
def test_a_query_only_reads(at, query, verb):
    with pytest.raises(EditmillError, match=f"only reads.* not {verb}"):
        at.sql(query)


@pytest.mark.parametrize("query", ["describe clips", "show columns from clips"])
def test_who_asks_for_a_tables_columns_is_told_how(at, query):
    with pytest.raises(EditmillError, match=r"not (DESCRIBE|SHOW COLUMNS);") as refused:
        at.sql(query)
    remedy = str(refused.value).rpartition(": ")[2]
    assert "pair_id" in at.sql(remedy).columns


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("select clip_id from clips;", 5),
        ("-- delete from clips\nselect * from clips where clip_id <> 'delete from clips'", 5),
        ("with few as (select * from clips limit 2) select * from few", 2),
        ("(select frames from clips) union all (select frames from clips)", 10),
        ("from clips select frames", 5),
        ("show tables", len(TABLES) + 1),  # and the view `scores`
        ("explain select * from clips", 1),
    ],
)
def test_what_reads_is_answered(at, query, count):
    found = at.sql(query)
    assert len(found) == count or query.startswith("explain")


def test_import_is_quick():
    """`import catalog` (and errors, records by need) must not load Delta or PyAV."""
    code = (
        "import sys, catalog; print([m for m in ('deltalake', 'av', 'polars') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=catalog.__path__[0] + "/..",
    )
    assert done.stdout.strip() == "[]"
