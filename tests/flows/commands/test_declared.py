"""Every command is declared with an example, `--json`, and a line that says what it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import editmill
from flows.cli import app


def declared(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from declared(below, f"{path} {name}")


COMMANDS = dict(declared(typer.main.get_command(app), "editmill"))


def test_all_are_there():
    named = {path.removeprefix("editmill ") for path in COMMANDS}
    assert named == {
        "init", "tasks", "build", "deploy", "status", "query", "releases", "diff", "decide", "log",
        "show", "objects", "sheet", "open", "evaluate", "export", "rebuild", "replay", "edit",
        "judge", "models", "doctor", "calibrate",
        "train quality", "train alignment", "train expert", "label", "retrain", "upgrade", "forget",
        "collect",
    }  # fmt: skip


def test_the_version_is_the_packages():
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"editmill {editmill.__version__}\n")
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert "--version" in shown and "A dataset factory for instruction-based" in shown


@pytest.mark.parametrize("path", COMMANDS)
def test_each_catalog_is_by_default_the_environments(path: str):
    named = [param for param in COMMANDS[path].params if "--catalog" in param.opts]
    assert all(param.envvar == "EDITMILL_CATALOG" for param in named)


@pytest.mark.parametrize("path", COMMANDS)
def test_each_has_an_example_and_json(path: str):
    command = COMMANDS[path]
    assert f"`{path}" in (command.epilog or "")
    assert "--json" in {option for param in command.params for option in param.opts}
    assert command.help and command.help.strip().split("\n\n")[0].endswith(".")
