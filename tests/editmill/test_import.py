"""`import editmill` and the command, beside files of a user that are named like our packages."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import editmill

ROOT = Path(editmill.__file__).parent.parent


def python(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Python as a user calls it who has editmill installed: behind the folder he works in."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A folder whose files bear the names of the four packages, and say so when imported."""
    folder = tmp_path / "work"
    (folder / "experts").mkdir(parents=True)
    for name in ("catalog.py", "filters.py", "flows.py", "experts/__init__.py"):
        (folder / name).write_text(f"print('imported the user’s {name}')\nMINE = True\n")
    return folder


READ = """
import editmill
dataset = editmill.open({root!r}, ref="v1")
print(dataset.sample(n=1)[0].source.shape, editmill.records.Pair.__name__)
"""


def test_a_users_files_do_not_get_in_the_way_of_the_import(crowded, root):
    (crowded / "read.py").write_text(READ.format(root=str(root)))
    for call in (("read.py",), ("-c", READ.format(root=str(root)))):
        done = python(*call, cwd=crowded)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "(12, 64, 96, 3) Pair\n"


def test_a_users_files_do_not_get_in_the_way_of_the_command(crowded, root):
    query = ("query", "select count(*) n from pairs", "--catalog", root, "--json")
    for call in (("-m", "editmill"), ("-c", "from editmill.__main__ import main; main()")):
        done = python(*call, *query, cwd=crowded)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == [{"n": 4}]
    listed = python("-m", "editmill", "models", "--json", cwd=crowded)  # imports experts
    assert listed.returncode == 0, listed.stderr
    assert "user’s" not in listed.stdout


def test_without_editmills_help_the_users_file_would_be_taken(crowded):
    """Or else the tests above could not fail."""
    done = python("-c", "import catalog; catalog.open", cwd=crowded)
    assert "imported the user’s catalog.py" in done.stdout
    assert "AttributeError" in done.stderr


def test_the_users_other_modules_stay_his(crowded):
    """Reading needs `catalog` alone, so no other name is taken."""
    done = python("-c", "import editmill, filters, flows; print(filters.MINE)", cwd=crowded)
    assert done.stdout.endswith("flows.py\nTrue\n"), done.stderr


def test_a_catalog_imported_before_is_named(crowded):
    done = python("-c", "import catalog, editmill", cwd=crowded)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert str(crowded / "catalog.py") in last
    assert "import editmill first" in last


def test_the_import_is_quick(tmp_path):
    """Measured: 0.02 s of the processor. What would make it slow is not imported."""
    code = (
        "import time; start = time.process_time(); import editmill, sys;"
        "print(time.process_time() - start);"
        "print([m for m in ('torch', 'prefect', 'polars', 'numpy', 'av') if m in sys.modules])"
    )
    seconds, loaded = python("-c", code, cwd=tmp_path).stdout.splitlines()
    assert float(seconds) < 0.7
    assert loaded == "[]"


def test_what_it_offers():
    assert editmill.__version__
    assert editmill.records.Clip.__name__ == "Clip"
    assert issubclass(editmill.EditmillError, Exception)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        editmill.nothing  # noqa: B018


def test_the_wheel_the_types_and_the_import_rules_know_every_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    there = {folder.parent.name for folder in ROOT.glob("*/__init__.py")}
    tool = settings["tool"]
    assert set(tool["hatch"]["build"]["targets"]["wheel"]["packages"]) == there
    assert set(tool["mypy"]["packages"]) == there
    assert set(tool["importlinter"]["root_packages"]) == there
