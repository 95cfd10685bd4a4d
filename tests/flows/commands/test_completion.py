"""What the shell offers after a Tab, what is said of a misspelt command line, and that a query may
begin with a comment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import catalog
from experts.edit.tasks import EDITORS, TASKS
from flows.commands import completion


def offered(line: str) -> list[str]:
    """What bash is told for a command line that ends at the cursor."""
    words = line.split(" ")
    env = {
        "_EDITMILL_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "editmill"], capture_output=True, text=True, env=os.environ | env
    )
    assert ran.stderr == ""
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("line", "first"),
    [("editmill di", "diff"), ("editmill edit object_rem", "object_removal"),
     ("editmill build sen", "senorita")],
)  # fmt: skip
def test_bash_is_offered_the_rest(line: str, first: str):
    assert offered(line) == [first]


def test_bash_is_offered_the_names_of_the_environments_catalog(root: Path, monkeypatch):
    monkeypatch.setenv("EDITMILL_CATALOG", str(root))
    assert offered("editmill diff v1 v") == ["v1", "v2"]


def test_bash_is_offered_the_catalogs_own_names(root: Path):
    at = f"--catalog {root}"
    assert offered(f"editmill diff {at} v1 v") == ["v1", "v2"]
    assert offered(f"editmill query {at} --ref m") == ["main"]
    kept = catalog.open(root, ref="v2").pair("ffff").record
    assert offered(f"editmill show {at} --ref v2 fff") == [kept.pair_id]
    assert offered(f"editmill show --catalog {root}/none fff") == []


def test_names_are_offered_by_their_beginning(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").touch()
    (tmp_path / "mine.txt").touch()
    (tmp_path / "more").mkdir()
    assert completion.recipes("m") == ["mine.yaml", "more/"]
    shipped = ["embedded", "hub-small", "open", "senorita", "vivid", "vivid-embedded"]
    assert completion.recipes("") == sorted([*shipped, "mine.yaml", "more/"])
    assert completion.recipes("none/x") == []
    assert completion.tasks("") == sorted(TASKS)
    assert set(completion.tasks_and_editors("")) == {*TASKS, *EDITORS}
    assert "remover" in completion.trainable("rem")


def test_a_query_may_begin_with_a_comment(editmill, root: Path):
    sql = "-- how many\nselect count(*) n from pairs"
    assert json.loads(editmill("query", sql, "--catalog", root, "--json")) == [{"n": 4}]
    assert json.loads(editmill("query", "--catalog", root, "--json", sql)) == [{"n": 4}]


def test_a_query_only_reads(refused, root: Path):
    assert "a query only reads" in refused("query", "delete from pairs", "--catalog", root)
    assert "there is no query" in refused("query", "-- nothing", "--catalog", root)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["build", "--tga", "v1"], "No such option: --tga"),
        (["nosuch"], "No such command 'nosuch'; see: editmill --help"),
        (["diff", "v1"], "Missing argument 'B'; see: editmill diff --help"),
        (["sheet", "--n", "many", "--out", "x.png"], "'--n'"),
        (["show", "x", "--png"], "'--png' requires an argument; see: editmill"),
    ],
)
def test_a_misspelt_command_line_is_one_line(args: list[str], says: str):
    code = "import sys; sys.argv[0] = 'editmill'; from flows.cli import main; main()"
    ran = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stdout == ""
    assert ran.stderr.startswith("editmill: ") and ran.stderr.count("\n") == 1
    assert says in ran.stderr and "--help" in ran.stderr


def test_no_command_shows_the_help():
    ran = subprocess.run(
        [sys.executable, "-m", "flows.cli"], capture_output=True, text=True, timeout=60
    )
    assert "Make a dataset" in ran.stdout and "Look at a dataset" in ran.stdout
    assert ran.stderr == ""
