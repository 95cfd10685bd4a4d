"""Reading a catalog: its tables as lazy frames, and SQL over them.

import catalog
kept = catalog.open("my-dataset", ref="v3").pairs().filter(pl.col("keep")).collect()
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from catalog.errors import EditmillError
from catalog.records import TABLES
from catalog.storage.media import MediaStore
from catalog.tables import Tables

READING = ("select", "with", "from", "values", "show", "explain")
"""How a statement begins that only reads. Polars would carry out DELETE, DROP, TRUNCATE and CREATE
on its own view of the tables alone, and answer as if they had been changed."""

_NO_VERB = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
"""Blanks, opening brackets and comments, at the beginning."""


class Queries:
    """The tables of one catalog at one ref, as lazy frames: nothing is read before `collect()`.

    Media columns hold references relative to the catalog; :meth:`path` makes paths of them.
    """

    media: MediaStore
    tables: Tables

    def pairs(self) -> pl.LazyFrame:
        """Every pair made, kept or rejected, with its scores and reasons (`Pair`)."""
        return self.tables.scan("pairs")

    def local_edits(self) -> pl.LazyFrame:
        """The local-editing records (`LocalEdit`); :func:`catalog.local_edits.read` opens one."""
        return self.tables.scan("local_edits")

    def statistics(self) -> pl.LazyFrame:
        """Distributions over the local-editing records (`Statistic`)."""
        return self.tables.scan("statistics")

    def clips(self) -> pl.LazyFrame:
        """The clips the sources were cut into (`Clip`)."""
        return self.tables.scan("clips")

    def tracks(self) -> pl.LazyFrame:
        """The objects followed through the clips (`Track`)."""
        return self.tables.scan("tracks")

    def failures(self) -> pl.LazyFrame:
        """What could not be made, and why (`Failure`)."""
        return self.tables.scan("failures")

    def models(self) -> pl.LazyFrame:
        """The models that took part, with origin and licence (`ModelRow`)."""
        return self.tables.scan("models")

    def sources(self) -> pl.LazyFrame:
        """The videos everything was made from, with their licences (`Source`)."""
        return self.tables.scan("sources")

    def path(self, ref: str) -> Path:
        """The file behind a media reference."""
        return self.media.path(ref)

    def sql(self, query: str) -> pl.DataFrame:
        """The result of an SQL query (polars' dialect) over all tables at this ref.

        Raises EditmillError, in one line with the tables and columns there are, where it fails.
        """
        verb = _first_word(query)
        if verb not in READING:
            raise EditmillError(_refusal(verb))
        named = [t for t in TABLES if verb == "show" or re.search(rf"\b{t}\b", query)]
        frames = {table: self.tables.scan(table) for table in named}
        try:
            return pl.SQLContext(frames).execute(query, eager=True)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
            for table in named:
                self.tables.find_damage(table)
            raise EditmillError(_explain(str(error), frames)) from None


def sql(catalog: Queries, query: str) -> pl.DataFrame:
    """:meth:`Queries.sql` as a function."""
    return catalog.sql(query)


def _first_word(query: str) -> str:
    """The statement's verb in small letters, what EXPLAIN explains, or nothing."""
    bare = _NO_VERB.sub("", query, count=1)
    found = re.match(r"\w*", bare)
    word = found[0].lower() if found else ""
    return _first_word(bare[len(word) :]) or word if word == "explain" else word


def _refusal(verb: str) -> str:
    if not verb:
        return f"SQL: there is no query; the tables are {', '.join(TABLES)}"
    return (
        f"SQL: a query only reads: it is one SELECT, WITH … SELECT, EXPLAIN or SHOW TABLES, not "
        f"{verb.upper()}; what the tables hold changes by building"
    )


def _explain(message: str, frames: dict[str, pl.LazyFrame]) -> str:
    """One line: what is wrong, and the columns of the tables named (all tables' names if none)."""
    what = " ".join(message.split("\n\n")[0].split())
    if frames:
        there = "; ".join(
            f"{table} has {', '.join(frame.collect_schema().names())}"
            for table, frame in frames.items()
        )
    else:
        there = f"the tables are {', '.join(TABLES)}"
    return f"SQL: {what}; {there}"
