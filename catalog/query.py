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
from catalog.store import MediaStore
from catalog.tables import Tables


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
        frames = {table: self.tables.scan(table) for table in TABLES}
        try:
            return pl.SQLContext(frames).execute(query, eager=True)
        except pl.exceptions.PolarsError as error:
            raise EditmillError(_explain(query, str(error), frames)) from None


def sql(catalog: Queries, query: str) -> pl.DataFrame:
    """:meth:`Queries.sql` as a function."""
    return catalog.sql(query)


def _explain(query: str, message: str, frames: dict[str, pl.LazyFrame]) -> str:
    """One line: what is wrong, and the columns of the tables named (all tables' names if none)."""
    what = " ".join(message.split("\n\n")[0].split())
    named = [table for table in frames if re.search(rf"\b{table}\b", query, re.IGNORECASE)]
    if named:
        there = "; ".join(
            f"{table} has {', '.join(frames[table].collect_schema().names())}" for table in named
        )
    else:
        there = f"the tables are {', '.join(frames)}"
    return f"SQL: {what}; {there}"
