"""Tables of long texts on narrow terminals, and messages that a file or pipe gets unbroken."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

INDENT = 4
"""Columns that stand before what follows a row's first line."""

UNBOUNDED = 10_000
"""Columns that no table of ours has."""


def console(stderr: bool = False) -> Console:
    """A console that breaks lines on a terminal only: a log or `grep` wants them whole."""
    made = Console(stderr=stderr)
    made.soft_wrap = not made.is_terminal
    return made


def print_table(to: Console, table: Table) -> None:
    """The table where it fits; on a narrower terminal a paragraph for each row, since a cell that
    is broken every few letters cannot be read: the columns that do not wrap, then each of the
    others after its heading. What is no terminal gets the table at its full width, without blanks
    at the ends of lines."""
    options = to.options.update(width=UNBOUNDED)
    width = Measurement.get(to, options, table).maximum
    if not to.is_terminal:
        usual, to.width = to.width, max(to.width, width)
        with to.capture() as captured:
            to.print(table)
        to.width = usual
        for line in captured.get().splitlines():
            to.out(line.rstrip(), highlight=False)
    elif width <= to.width:
        to.print(table)
    else:
        for cells in zip(*(column.cells for column in table.columns), strict=True):
            _print_row(to, list(zip(table.columns, map(_text, cells), strict=True)))


def _print_row(to: Console, row: list[tuple[Column, Text]]) -> None:
    to.print(Text(" ").join(text for column, text in row if column.no_wrap), soft_wrap=False)
    others = [
        Text.assemble((f"{column.header}: " if column.header else "", "dim"), text)
        for column, text in row
        if not column.no_wrap and text.plain
    ]
    to.print(Padding(Text("; ").join(others), (0, 0, 0, INDENT)), soft_wrap=False)


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell))
