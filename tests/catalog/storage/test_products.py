"""The journal: a document is there whole or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.storage import products
from catalog.storage.products import Products

KEY = "ab" * 16

WRITER = """
import sys
from catalog.storage.products import Products
products = Products(sys.argv[1])
print("ready", flush=True)
for n in range(10**9):
    products.put("edit", f"{n % 50:032x}", {"n": n, "again": n, "filler": "x" * 20_000})
"""


def test_what_is_put_can_be_got(tmp_path):
    journal = Products(tmp_path)
    assert journal.get("edit", KEY) is None
    journal.put("edit", KEY, {"ref": "media/ab/x.mp4", "scores": [1, 0.5, None], "ä": {}})
    assert journal.get("edit", KEY) == {"ref": "media/ab/x.mp4", "scores": [1, 0.5, None], "ä": {}}
    assert journal.get("judge", KEY) is None
    assert (tmp_path / "work" / "edit" / "ab" / f"{KEY}.json").exists()


@pytest.mark.parametrize("content", [b"", b'{"ref": "med', b"\xff\xfe", b"[1]", b"null"])
def test_a_damaged_document_reads_as_absent(tmp_path, content):
    journal = Products(tmp_path)
    journal.put("edit", KEY, {"a": 1})
    (tmp_path / "work" / "edit" / "ab" / f"{KEY}.json").write_bytes(content)
    assert journal.get("edit", KEY) is None
    journal.put("edit", KEY, {"a": 2})
    assert journal.get("edit", KEY) == {"a": 2}


def test_threads_may_write_one_key(tmp_path):
    journal = Products(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.put("edit", KEY, {"n": n}), range(100)))
    assert journal.get("edit", KEY)["n"] in range(100)
    assert len(list(tmp_path.rglob("*.*"))) == 1


def test_killed_while_writing(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(Path(products.__file__).parents[2])}
    journal = Products(tmp_path)
    for round_ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, env=env
        )
        assert writer.stdout.readline()
        time.sleep(0.1 + 0.037 * round_)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        documents = list(tmp_path.rglob("*.json"))
        assert documents
        for path in documents:
            raw = json.loads(path.read_bytes())  # never half a document
            assert journal.get("edit", path.stem) == raw
            assert raw["n"] == raw["again"] and raw["n"] % 50 == int(path.stem, 16)
    journal.sweep()
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_names_stay_inside(tmp_path, name):
    with pytest.raises(ValueError, match="no stage or key"):
        Products(tmp_path).put(name, KEY, {})


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "work").write_bytes(b"")
    with pytest.raises(EditmillError, match="cannot be written"):
        Products(tmp_path).put("edit", KEY, {})
