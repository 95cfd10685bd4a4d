"""Tables on terminals that are narrower than they are, and messages that go to a file."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from flows.commands import tables
from flows.commands.making import tasks


def table() -> Table:
    made = Table(box=None, pad_edge=False)
    made.add_column("", no_wrap=True)
    made.add_column("what", no_wrap=True)
    made.add_column("found")
    made.add_column("remedy")
    made.add_row("[green]ok[/green]", "prefect server", "one " * 20, "")
    made.add_row("[red]fail[/red]", "disk", "full", "free some space")
    return made


def printed(width: int, terminal: bool) -> list[str]:
    written = StringIO()
    to = Console(file=written, width=width, force_terminal=terminal, no_color=True, highlight=False)
    to._color_system = None
    tables.print_table(to, table())
    assert to.width == width
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_a_table_that_does_not_fit_is_a_paragraph_for_each_row() -> None:
    first, *rest = printed(60, terminal=True)
    assert first == "ok prefect server"
    assert "fail disk" in rest
    assert rest[-1] == "    found: full; remedy: free some space"
    assert all(len(line) <= 60 and not line.endswith("; remedy:") for line in rest)
    assert " ".join(rest[:2]).split() == ["found:", *["one"] * 20]


@pytest.mark.parametrize(("width", "terminal"), [(160, True), (60, False)])
def test_it_is_a_table_where_it_fits_and_where_nobody_looks(width: int, terminal: bool) -> None:
    heading, first, second = printed(width, terminal)
    assert heading.split() == ["what", "found", "remedy"]
    assert first.count("one") == 20 and second.split()[:3] == ["fail", "disk", "full"]


@pytest.mark.parametrize("width", [400, 60])
def test_no_line_of_a_pipe_ends_in_blanks(width: int) -> None:
    written = StringIO()
    tables.print_table(Console(file=written, width=width, force_terminal=False), table())
    lines = written.getvalue().splitlines()
    assert len(lines) == 3 and lines == [line.rstrip() for line in lines]


def test_a_message_to_a_file_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tables.console().print("word " * 50)
    assert capsys.readouterr().out.count("\n") == 1


def test_no_task_is_broken_at_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tasks.show("embedded", False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 18 and "footage without the object" in lines[1]
