"""What every storage does: a folder, a bucket, a lakeFS branch."""

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from catalog.errors import EditmillError
from catalog.storage import open_storage
from catalog.storage.location import Storage

ROOT = Path(__file__).parents[3]
KEY = "media/ab/abcd.bin"


@pytest.fixture
def storage(storage_uri) -> Storage:
    return open_storage(storage_uri)


@pytest.fixture
def elsewhere(storage_uri, tmp_path, monkeypatch) -> Storage:
    """The same storage on a machine that has no local copies."""
    monkeypatch.setenv("EDITMILL_STORAGE_CACHE", str(tmp_path / "other machine"))
    return open_storage(storage_uri)


@pytest.fixture
def made(storage) -> Callable[[bytes], Path]:
    """`made(content)`: a finished file in the scratch folder."""

    def make(content: bytes) -> Path:
        path = storage.scratch / f"{time.time_ns()}.bin"
        path.write_bytes(content)
        return path

    return make


def python(code: str, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-c", code, *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def test_what_is_written_can_be_read(storage, elsewhere):
    assert storage.read("releases/v1.json") is None and not storage.exists("releases/v1.json")
    storage.write("releases/v1.json", b"first")
    storage.write("releases/v1.json", b"second, and longer")
    for each in (storage, elsewhere):
        assert each.read("releases/v1.json") == b"second, and longer"
        assert each.exists("releases/v1.json")
    storage.write("empty", b"")
    assert elsewhere.read("empty") == b""


def test_a_name_is_taken_once(storage, elsewhere):
    assert storage.create("releases/v1.json", b"mine")
    assert not elsewhere.create("releases/v1.json", b"theirs")
    assert not storage.create("releases/v1.json", b"mine")
    assert elsewhere.read("releases/v1.json") == b"mine"


def test_of_many_threads_one_creates(storage):
    with ThreadPoolExecutor(16) as pool:
        created = list(pool.map(lambda n: storage.create("tag", b"%d" % n), range(16)))
    assert sum(created) == 1
    assert storage.read("tag") == b"%d" % created.index(True)


CREATE = """
import sys
from catalog.storage import open_storage
storage = open_storage(sys.argv[1])
print([n for n in range(20) if storage.create(f"tags/{n}", sys.argv[2].encode())])
"""


def test_of_many_processes_one_creates(storage_uri, storage):
    processes = [python(CREATE, storage_uri, str(number)) for number in range(3)]
    created = [eval(process.communicate(timeout=120)[0]) for process in processes]
    assert sorted(name for names in created for name in names) == list(range(20))
    for number, names in enumerate(created):
        assert {storage.read(f"tags/{name}") for name in names} <= {b"%d" % number}


def test_an_added_file_is_here_at_once_and_everywhere_after_the_flush(storage, elsewhere, made):
    content = os.urandom(12_000_000)  # more than one part of an upload
    path = made(content)
    storage.add_file(KEY, path)
    assert not path.exists()
    assert storage.local(KEY).read_bytes() == content
    assert storage.local(KEY).suffix == ".bin"
    storage.flush()
    assert storage.exists(KEY)
    assert elsewhere.local(KEY).read_bytes() == content
    assert elsewhere.read(KEY) == content


def test_what_is_there_under_a_content_name_stays(storage, elsewhere, made):
    for storing, content in ((storage, b"first"), (elsewhere, b"again")):
        path = storing.scratch / "made.bin"
        path.write_bytes(content)
        storing.add_file(KEY, path)
        assert not path.exists()
        storing.flush()
    assert storage.read(KEY) == b"first"


def test_many_threads_add_files_some_of_them_the_same(storage, elsewhere, made):
    def add(number: int) -> None:
        name = number % 40
        path = storage.scratch / f"made{number}.bin"
        path.write_bytes(b"%d" % name * 1000)
        storage.add_file(f"media/{name:02}/x.bin", path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(120)))
    storage.flush()
    assert len(list(elsewhere.list("media"))) == 40
    with ThreadPoolExecutor(8) as pool:
        paths = pool.map(lambda name: elsewhere.local(f"media/{name % 40:02}/x.bin"), range(120))
        assert [path.read_bytes() for path in paths] == [
            b"%d" % (n % 40) * 1000 for n in range(120)
        ]


def test_a_file_from_another_disk(storage, elsewhere):
    folder = Path("/dev/shm")
    if not os.access(folder, os.W_OK):
        pytest.skip("this system has no second file system")
    path = folder / f"editmill-{os.getpid()}.bin"
    path.write_bytes(b"content")
    storage.add_file(KEY, path)
    storage.flush()
    assert not path.exists()
    assert elsewhere.local(KEY).read_bytes() == b"content"


def test_objects_are_listed_below_a_folder_and_in_order(storage, elsewhere, made):
    keys = ["a.b/c", "a/b", "a/b2/c", "a/b/c", "ab", "a-b"]
    keys.remove("a/b")  # a folder cannot have both it and what is below
    for key in keys:
        storage.write(key, key.encode())
    storage.add_file("a/é.bin", made(b"123"))
    storage.flush()
    before, found = time.time(), list(elsewhere.list(""))
    assert [each.key for each in found] == sorted([*keys, "a/é.bin"])
    assert [each.key for each in elsewhere.list("a")] == ["a/b/c", "a/b2/c", "a/é.bin"]
    assert [each.key for each in elsewhere.list("a/b")] == ["a/b/c"]
    assert [each.size for each in elsewhere.list("a")] == [5, 6, 3]
    assert all(abs(before - each.modified) < 60 for each in found)
    assert list(elsewhere.list("nothing")) == []


def test_more_objects_than_a_page(storage):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: storage.write(f"work/{n:04}", b""), range(1100)))
    assert [each.key for each in storage.list("work")] == [f"work/{n:04}" for n in range(1100)]
    storage.delete(each.key for each in storage.list("work"))
    assert list(storage.list("work")) == []


def test_deleted_is_gone_and_absent_is_passed_over(storage, elsewhere, made):
    storage.add_file(KEY, made(b"content"))
    storage.write("a", b"a")
    storage.flush()
    storage.delete([KEY, "nothing/there", "a"])
    storage.delete([])
    assert not storage.local(KEY).exists()
    for each in (storage, elsewhere):
        assert not each.exists(KEY) and each.read("a") is None and not each.local(KEY).exists()


def test_a_local_file_of_what_changes_is_up_to_date(storage, elsewhere):
    assert not storage.local("report.html").exists()
    storage.write("report.html", b"old")
    assert elsewhere.local("report.html").read_bytes() == b"old"
    storage.write("report.html", b"new")
    assert elsewhere.local("report.html").read_bytes() == b"new"
    storage.delete(["report.html"])
    assert not elsewhere.local("report.html").exists()


def test_the_files_of_a_folder_lie_in_one_local_folder(storage, elsewhere):
    names = ["config.json", "model.safetensors"]
    for name in names:
        storage.write(f"models/remover/v1/{name}", name.encode())
    folder = elsewhere.local("models/remover/v1/config.json").parent
    assert elsewhere.local("models/remover/v1/model.safetensors").parent == folder
    assert sorted(path.name for path in folder.iterdir()) == names


def test_a_table_lies_in_it(storage, elsewhere):
    place = storage.table("v1/pairs")
    for part in ([1, 2], [3]):
        frame = pl.DataFrame({"n": part}).to_arrow()
        write_deltalake(place.uri, frame, mode="append", storage_options=dict(place.options))
    place = elsewhere.table("v1/pairs")
    table = DeltaTable(place.uri, storage_options=dict(place.options))
    assert table.version() == 1
    rows = pl.scan_delta(place.uri, storage_options=dict(place.options) or None)
    assert sorted(rows.collect()["n"]) == [1, 2, 3]
    first = pl.scan_delta(place.uri, version=0, storage_options=dict(place.options) or None)
    assert sorted(first.collect()["n"]) == [1, 2]
    keys = [each.key for each in elsewhere.list("tables/v1/pairs/_delta_log")]
    assert keys == [f"tables/v1/pairs/_delta_log/{n:020}.json" for n in range(2)]


ADD = """
import sys
from catalog.storage import open_storage
storage = open_storage(sys.argv[1])
path = storage.scratch / "made.bin"
path.write_bytes(b"x" * 30_000_000)
storage.add_file(sys.argv[2], path)
print("added", flush=True)
storage.flush()
"""


@pytest.mark.parametrize("seconds", [0, 0.05, 0.2])
def test_killed_between_adding_and_flush(storage_uri, storage, elsewhere, made, seconds):
    writer = python(ADD, storage_uri, KEY)
    assert writer.stdout.readline() == "added\n"
    time.sleep(seconds)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    content = b"x" * 30_000_000
    # Never a part of it. A server may store what it received in full after its sender has died.
    found = elsewhere.read(KEY)
    assert found in (None, content)
    assert found is None or elsewhere.exists(KEY)
    storage.add_file(KEY, made(content))  # the next build makes it again
    storage.flush()
    assert elsewhere.local(KEY).read_bytes() == content
    assert list(storage.scratch.iterdir()) == []


def test_its_uri_opens_it_again(storage, storage_uri):
    storage.write("a", b"a")
    assert storage.uri.removesuffix("/main") == storage_uri
    assert open_storage(storage.uri).read("a") == b"a"


def test_it_goes_to_another_process_without_its_keys(storage):
    storage.write("a", b"a")
    sent = pickle.dumps(storage)
    assert pickle.loads(sent).uri == storage.uri and pickle.loads(sent).read("a") == b"a"
    access = getattr(storage, "access", None)
    assert access is None or access.secret.encode() not in sent


def test_what_cannot_be_read_or_written_says_so(storage_uri, storage, monkeypatch):
    if "://" not in storage_uri:
        Path(storage_uri).write_bytes(b"a file where the folder should be")
    else:
        kind = "LAKECTL_CREDENTIALS" if storage_uri.startswith("lakefs") else "AWS"
        monkeypatch.setenv(f"{kind}_SECRET_ACCESS_KEY", "wrong")
        storage = open_storage(storage_uri)
    with pytest.raises(EditmillError) as caught:
        storage.write("a", b"a")
    assert "\n" not in str(caught.value) and storage_uri in str(caught.value)
