"""Reading a catalog: its tables as lazy frames, its pairs with their frames, and SQL.

import catalog
dataset = catalog.open("my-dataset", ref="v3")
kept = dataset.pairs().filter(pl.col("keep")).collect()
dataset.pair("3f9c01").source  # uint8 [T, H, W, 3]
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any

import polars as pl

from catalog.arguments import expect, whole_number
from catalog.columns import meant
from catalog.delta.key_index import KeyIndex
from catalog.errors import EditmillError
from catalog.records import (
    LOCAL_EDIT_TASKS,
    PAIR_TASKS,
    SCORES,
    TABLES,
    VLM_SCORES,
    Pair,
    from_row,
    key_column,
)
from catalog.storage.location import Storage
from catalog.storage.media import MediaStore
from catalog.tables import Tables

if TYPE_CHECKING:
    from catalog.samples import PairSample
    from catalog.samples.local_edit import LocalSample

VIEW = "scores"
"""What :meth:`Queries.scores` is called in SQL."""

QUERYABLE = (*TABLES, VIEW)
"""All that a query may name."""

READING = ("select", "with", "from", "values", "show", "explain")
"""How a statement begins that only reads. Polars would carry out DELETE, DROP, TRUNCATE and CREATE
on its own view of the tables alone, and answer as if they had been changed."""

_NO_VERB = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
"""Blanks, opening brackets and comments, at the beginning."""

_UNKNOWN_COLUMN = re.compile(r"""(?:unable to find column|column named) ["'](.*?)["']""")
_UNKNOWN_TABLE = re.compile(r"relation '.*' was not found")
_UNKNOWN_STATEMENT = "statement type is not supported"
"""As polars says it."""


class Queries:
    """The tables of one catalog at one ref, as lazy frames: nothing is read before `collect()`.

    Media columns hold references relative to the catalog; :meth:`path` makes paths of them.
    """

    storage: Storage
    ref: str
    media: MediaStore
    tables: Tables

    def __init__(self) -> None:
        self._indexes: dict[str, tuple[int | None, KeyIndex | None]] = {}  # by table and version

    def table(self, name: str) -> pl.LazyFrame:
        """A table as its readers see it; pairs are kept or rejected by this ref's policy."""
        if name == VIEW:
            return self.scores()
        return self.as_read(name, self.tables.scan(name))

    def as_read(self, name: str, stored: pl.LazyFrame) -> pl.LazyFrame:
        """Some rows of a table, as its readers see them."""
        raise NotImplementedError

    def pairs(self) -> pl.LazyFrame:
        """Every pair made, kept or rejected, with its scores and reasons (`Pair`)."""
        return self.table("pairs")

    def scores(self) -> pl.LazyFrame:
        """What each filter said of each pair, a row each: `pair_id`, `filter`, its `version`,
        `score` (null where it measured none) and `reason`."""
        pairs = self.pairs()
        said = pl.concat(
            pairs.select(
                "pair_id",
                filter=pl.lit(name),
                version=pl.col("filter_versions").str.json_path_match(f"$.{name}"),
                score=f"{name}_score",
                reason=f"{name}_reason",
            )
            for name in SCORES
        )
        return said.filter(pl.col("version").is_not_null() | ~pl.col("filter").is_in(VLM_SCORES))

    def pair(self, pair_id: str) -> PairSample:
        """The pair of this id, or the only one whose id begins so, with its frames and masks.

        Raises EditmillError where there is none, or several.
        """
        from catalog.samples import PairSample  # which imports PyAV

        row = from_row(Pair, self._row("pairs", "pair", pair_id))
        return PairSample(row, self.media, self.ref)

    def sample(
        self, task: str | None = None, n: int = 8, seed: int = 0, keep: bool | None = True
    ) -> list[PairSample]:
        """`n` pairs at random, of `task` or of all tasks; all there are where there are fewer.

        `keep` chooses among the kept pairs, the rejected ones (False) or both (None). The same seed
        over the same pairs gives the same list; it is empty where a task has no pairs. Raises
        EditmillError for a task that is none, and for a value of another type.
        """
        from catalog.samples import PairSample
        from catalog.samples.choose import choose

        n, seed = whole_number(n, "n", 0), whole_number(seed, "seed")
        expect(task, "task", "the name of a task or None", str, NoneType)
        expect(keep, "keep", "True, False or None", bool, NoneType)
        pairs = self.pairs()
        if task is not None:
            self._refuse_unknown_task(task)
            pairs = pairs.filter(pl.col("task") == task)
        if keep is not None:
            pairs = pairs.filter(pl.col("keep") == keep)
        chosen = choose(pairs.select("pair_id").collect()["pair_id"], n, seed)
        found = pairs.filter(pl.col("pair_id").is_in(chosen)).collect()
        rows = {row["pair_id"]: row for row in found.iter_rows(named=True)}
        records = [from_row(Pair, rows[pair_id]) for pair_id in chosen]
        return [PairSample(record, self.media, self.ref) for record in records]

    def local_edits(self) -> pl.LazyFrame:
        """The local-editing records (`LocalEdit`); :meth:`local_edit` opens one."""
        return self.table("local_edits")

    def local_edit(self, edit_id: str) -> LocalSample:
        """Frames, masks and captions of the local-editing record whose id is this or begins so.

        Raises EditmillError where there is none, or several; BadInput where its media cannot be
        read.
        """
        from catalog.samples.local_edit import read

        return read(self, self._row("local_edits", "record", edit_id))

    def statistics(self) -> pl.LazyFrame:
        """Distributions over the local-editing records (`Statistic`)."""
        return self.table("statistics")

    def clips(self) -> pl.LazyFrame:
        """The clips the sources were cut into (`Clip`)."""
        return self.table("clips")

    def tracks(self) -> pl.LazyFrame:
        """The objects followed through the clips (`Track`)."""
        return self.table("tracks")

    def failures(self) -> pl.LazyFrame:
        """What could not be made, and why (`Failure`)."""
        return self.table("failures")

    def models(self) -> pl.LazyFrame:
        """The models that took part, with origin and licence (`ModelRow`)."""
        return self.table("models")

    def trained(self) -> pl.LazyFrame:
        """The experts that were trained from this catalog (`ModelRow`)."""
        return self.table("trained")

    def labels(self) -> pl.LazyFrame:
        """What people said of pairs (`Label`), of one pair perhaps several times; the newest holds
        (:func:`catalog.labels.newest`)."""
        return self.table("labels")

    def sources(self) -> pl.LazyFrame:
        """The videos everything was made from, with their licences (`Source`)."""
        return self.table("sources")

    def path(self, ref: str) -> Path:
        """The file behind a media reference; it need not exist."""
        return self.media.path(ref)

    def sql(self, query: str) -> pl.DataFrame:
        """The result of an SQL query (polars' dialect) over all tables at this ref.

        Raises EditmillError where it is no text or fails, in one line; it tells the tables, or the
        columns whose names are near, where a name is unknown.
        """
        expect(query, "a query", "SQL as a text", str)
        verb = first_word(query)
        if verb not in READING:
            raise EditmillError(_refusal(verb))
        named = [t for t in QUERYABLE if verb == "show" or re.search(rf"\b{t}\b", query)]
        frames = {table: self.table(table) for table in named}
        try:
            return pl.SQLContext(frames).execute(query, eager=True)
        except UnicodeError:
            raise EditmillError("SQL: the query is no UTF-8 text; write it anew") from None
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            if _UNKNOWN_STATEMENT in str(error):  # and then what polars made of it, as code
                raise EditmillError(_refusal(_first_words(query, verb))) from None
            for table in named:
                self.tables.find_damage("pairs" if table == VIEW else table)
            raise EditmillError(_explain(str(error), frames)) from None

    def _row(self, table: str, noun: str, prefix: str) -> dict[str, Any]:
        """The only row of the table whose key begins so; `noun` is what a row is called."""
        expect(prefix, f"the id of a {noun}", "a text, of which the beginning will do", str)
        key = key_column(table)
        begins = pl.col(key).str.starts_with(prefix)
        numbers = self._numbers(table, key, prefix)
        if numbers is None:
            found = self.table(table).filter(begins).head(2).collect()
        else:
            stored = self.tables.scan(table)
            rows = [self.as_read(table, stored.slice(number, 1)) for number in numbers]
            empty = [self.as_read(table, stored.clear())]
            found = pl.concat(rows or empty).collect().filter(begins)
        if len(found) != 1 or not prefix:
            what = f"several {noun}s begin" if len(found) else f"no {noun} begins"
            raise EditmillError(
                f'{prefix!r}: {what} with that id; `editmill query "select {key} from {table}"` '
                "lists them, with the same --catalog and --ref; a release may have what main lacks"
            )
        return found.row(0, named=True)

    def _numbers(self, table: str, key: str, prefix: str) -> list[int] | None:
        """Which rows may have a key that begins so; None where that can only be found by reading.

        A whole key has so many digits that two rows never share their beginnings.
        """
        version = self.tables.version(table)
        known = self._indexes.get(table)
        if known is None or known[0] != version:
            known = self._indexes[table] = version, KeyIndex.of(self.tables.scan(table), key)
        return None if known[1] is None else known[1].rows(prefix, 2)

    def _refuse_unknown_task(self, task: str) -> None:
        known = [*PAIR_TASKS, *LOCAL_EDIT_TASKS]
        if task in known or task in self.pairs().select("task").unique().collect()["task"]:
            return
        near = difflib.get_close_matches(task, known, 1, 0.5)
        remedy = f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
        raise EditmillError(f"no task is called {task!r}{remedy}")


def sql(catalog: Queries, query: str) -> pl.DataFrame:
    """:meth:`Queries.sql` as a function."""
    return catalog.sql(query)


def first_word(query: str) -> str:
    """The statement's verb in small letters, what EXPLAIN explains, or nothing."""
    bare = _NO_VERB.sub("", query, count=1)
    found = re.match(r"\w*", bare)
    word = found[0].lower() if found else ""
    return first_word(bare[len(word) :]) or word if word == "explain" else word


def _first_words(query: str, verb: str) -> str:
    """The verb and the word behind it, as `show columns`."""
    found = re.search(rf"\b{verb}\b(\s+\w+)?", query, re.IGNORECASE)
    return " ".join(found[0].lower().split()) if found else verb


def _refusal(statement: str) -> str:
    """Of what begins with these words."""
    if not statement:
        return f"SQL: there is no query; the tables are {', '.join(QUERYABLE)}"
    if statement.startswith(("describe", "desc", "pragma", "show")):
        remedy = "a table's columns are shown by: select * from pairs limit 1"
    else:
        remedy = "what the tables hold changes by building"
    return (
        f"SQL: a query only reads: it is one SELECT, WITH … SELECT, EXPLAIN or SHOW TABLES, not "
        f"{statement.upper()}; {remedy}"
    )


def _explain(message: str, frames: dict[str, pl.LazyFrame]) -> str:
    """One line: what is wrong, and where a name is unknown, the columns or tables there are."""
    what = " ".join(message.split("\n\n")[0].split())
    what = what.partition("; valid columns: [")[0]
    if unknown := _UNKNOWN_COLUMN.search(what):
        columns = {table: frame.collect_schema().names() for table, frame in frames.items()}
        if columns:
            return f"SQL: {what}; {meant([unknown[1]], columns)}"
    if not frames or _UNKNOWN_TABLE.search(what):
        return f"SQL: {what}; the tables are {', '.join(QUERYABLE)}"
    return f"SQL: {what}"
