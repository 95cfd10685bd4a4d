"""The `editmill` command. Its commands are declared in the `app.py` of each group, and each one's
work lies in a module of its own, imported when asked for, so that `--help` answers at once."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from flows.commands import entry, training
from flows.commands.keeping import app as keeping
from flows.commands.machine import app as machine
from flows.commands.making import app as making
from flows.commands.reading import app as reading
from flows.commands.releasing import app as releasing
from flows.commands.video import app as video

app = typer.Typer(
    name="editmill",
    help="A dataset factory for instruction-based video editing.",
    epilog="First steps, on the sample clips: `editmill build`, `editmill open`. On your own "
    "footage: `editmill init FOLDER`, `editmill build recipe.yaml --out DATASET --dry-run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for group in (making, reading, releasing, keeping, video, machine):
    app.add_typer(group.app)
app.add_typer(training.app, name="train", rich_help_panel="Train")
app.add_typer(training.top)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"editmill {version('editmill')}")
        raise typer.Exit


@app.callback()
def _editmill(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Declares what stands before a command; the text above is its help."""


def main() -> None:
    """Runs the command; every expected error is one line on stderr and exit code 1."""
    entry.run(app)


if __name__ == "__main__":
    main()
