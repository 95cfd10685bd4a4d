"""What a user reads when an object storage fails; nothing is lost, and no key is shown."""

import logging
import os
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from catalog.delta.table import StoredTable
from catalog.errors import EditmillError
from catalog.storage.access import Access
from catalog.storage.cache import Cache
from catalog.storage.objects import ObjectStorage
from catalog.storage.versioned import LakefsStorage
from tests.catalog.storage.proxy import Proxy, proxy_to

ROOT = Path(__file__).parents[3]
KEY = "media/ab/abcd.bin"


class Bucket:
    """Opens the storage of one new repository in ways that go wrong."""

    def __init__(self, server, folder: Path) -> None:
        self.server, self.folder, self.name = server, folder, server.repository()

    def open(self, name: str = "", retry_seconds: float = 0.5, **access: str) -> ObjectStorage:
        given = {
            "endpoint": self.server.endpoint,
            "key_id": self.server.access_key,
            "secret": self.server.secret_key,
            **access,
        }
        cache = Cache(self.folder / f"cache{time.time_ns()}", limit=10**9)
        return ObjectStorage(
            name or self.name, "main/a", Access(**given), cache=cache, retry_seconds=retry_seconds
        )


@pytest.fixture
def bucket(lakefs_server, tmp_path) -> Bucket:
    return Bucket(lakefs_server, tmp_path)


@pytest.fixture
def proxy(lakefs_server) -> Iterator[Proxy]:
    with proxy_to(lakefs_server.endpoint) as proxy:
        yield proxy


@contextmanager
def answering(status: int, code: str, secret: str) -> Iterator[str]:
    """The endpoint of a server that refuses everything, and repeats the key it was asked with."""

    class Refusing(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            text = f"<Error><Code>{code}</Code><Message>{secret} {self.headers}</Message></Error>"
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text.encode())

        do_GET = do_PUT = do_HEAD = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def every_request(storage: ObjectStorage) -> dict[str, EditmillError]:
    """What each of the storage's methods raises."""
    made = storage.scratch / "made.bin"
    made.write_bytes(b"content")

    def add() -> None:
        storage.add_file(KEY, made)
        storage.flush()

    requests = {
        "read": lambda: storage.read("a"),
        "write": lambda: storage.write("a", b"a"),
        "create": lambda: storage.create("b", b"b"),
        "exists": lambda: storage.exists("a"),
        "list": lambda: list(storage.list("")),
        "delete": lambda: storage.delete(["a"]),
        "local": lambda: storage.local("media/cd/cdef.bin"),
        "add": add,
    }
    raised = {}
    for name, request in requests.items():
        with pytest.raises(EditmillError) as caught:
            request()
        raised[name] = caught.value
    return raised


def texts(error: BaseException) -> Iterator[str]:
    """All that a logger could print of an error, and of those behind it."""
    seen: BaseException | None = error
    while seen is not None:
        yield from (str(seen), repr(seen), repr(seen.args))
        seen = seen.__cause__ or seen.__context__
    yield "".join(traceback.format_exception(error))


def check_told(storage: ObjectStorage, told: str, head: str = "") -> None:
    for name, error in every_request(storage).items():
        message = str(error)
        assert (head or told if name in ("exists", "add") else told) in message, name
        assert message.startswith(storage.uri) and "\n" not in message and len(message) < 300
        for text in texts(error):
            assert storage.access.secret not in text and storage.access.key_id not in text, name
    shown = f"{storage!r} {storage.access!r} {storage.table('x')!r} {vars(storage)!r}"
    assert storage.access.secret not in shown and storage.access.key_id not in shown


def test_wrong_keys(bucket):
    # Only an answer to a HEAD has no text that says what is wrong with them.
    secret = bucket.open(secret="wrong-secret-key")
    check_told(secret, "the secret key is wrong", head="the keys are wrong or may not do this")
    check_told(bucket.open(key_id="WRONGKEY"), "the keys are wrong or may not do this")


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (400, "ExpiredToken", "the keys have expired"),
        (403, "InvalidAccessKeyId", "there is no such key"),
        (403, "SignatureDoesNotMatch", "the secret key is wrong"),
        (403, "RequestTimeTooSkewed", "clock is off"),
        (400, "MissingFields", "no keys were sent; set them"),
        (418, "Strange", "answered with an error"),
        (503, "SlowDown", "answered with an error"),
    ],
)
def test_what_other_services_answer(bucket, status, code, told):
    secret = "a-very-secret-key"
    with answering(status, code, secret) as endpoint:
        storage = bucket.open(
            endpoint=endpoint, key_id="AKIASECRET", secret=secret, retry_seconds=0.2
        )
        raised = every_request(storage)
    for name, error in raised.items():
        if name not in ("exists", "add"):  # the answer to a HEAD has no text that says the code
            assert told in str(error), name
        for text in texts(error):
            assert secret not in text and "AKIASECRET" not in text


def test_a_bucket_that_is_gone(bucket):
    check_told(bucket.open("no-such-bucket"), "there is no such bucket at http://127.0.0.1")


def test_an_endpoint_that_is_gone(bucket):
    check_told(bucket.open(endpoint="http://127.0.0.1:9", retry_seconds=0.1), "cannot be reached")
    check_told(bucket.open(endpoint="http://nowhere.invalid", retry_seconds=0), "cannot be reached")


def test_a_tls_endpoint_that_speaks_none(bucket):
    endpoint = bucket.server.endpoint.replace("http:", "https:")
    check_told(bucket.open(endpoint=endpoint, retry_seconds=0), "cannot be reached")


def test_a_put_that_breaks_in_the_middle_is_tried_again(bucket, proxy):
    storage = bucket.open(endpoint=proxy.endpoint, retry_seconds=20)
    content = os.urandom(12_000_000)
    proxy.after, proxy.cut_requests = 1_000_000, 2
    storage.write("a", content)
    assert proxy.cuts == 2
    proxy.cut_requests = 2
    assert storage.create("b", content)
    assert proxy.cuts == 4
    proxy.cut_requests = 2
    path = storage.scratch / "made.bin"
    path.write_bytes(content)
    storage.add_file(KEY, path)
    storage.flush()
    assert proxy.cuts == 6
    for key in ("a", "b", KEY):
        assert bucket.open().read(key) == content


def test_a_get_that_breaks_in_the_middle_is_tried_again(bucket, proxy):
    content = os.urandom(12_000_000)
    bucket.open().write(KEY, content)
    storage = bucket.open(endpoint=proxy.endpoint, retry_seconds=20)
    proxy.after, proxy.cut_answers = 3_000_000, 2
    assert storage.local(KEY).read_bytes() == content
    assert proxy.cuts == 2


def test_a_get_that_always_breaks_is_an_error_and_no_shorter_file(bucket, proxy):
    bucket.open().write(KEY, os.urandom(12_000_000))
    storage = bucket.open(endpoint=proxy.endpoint, retry_seconds=3)
    assert storage.exists(KEY)  # it has answered, so its requests are tried again
    proxy.after, proxy.cut_answers = 100_000, -1
    with pytest.raises(EditmillError, match="a request failed"):
        storage.local(KEY)
    proxy.cut_answers = 0
    assert storage.local(KEY).stat().st_size == 12_000_000


def test_a_put_that_always_breaks_leaves_nothing_and_the_file_waits(bucket, proxy):
    storage = bucket.open(endpoint=proxy.endpoint, retry_seconds=0.3)
    content = os.urandom(2_000_000)
    proxy.after, proxy.cut_requests = 1_000_000, -1
    for request in (
        lambda: storage.write("a", content),
        lambda: storage.create("b", content),
    ):
        with pytest.raises(EditmillError, match="the connection broke"):
            request()
    path = storage.scratch / "made.bin"
    path.write_bytes(content)
    storage.add_file(KEY, path)
    for _ in range(2):
        with pytest.raises(EditmillError, match="the connection broke"):
            storage.flush()
        assert storage.local(KEY).read_bytes() == content
    other = storage.scratch / "other.bin"
    other.write_bytes(b"other")
    with pytest.raises(EditmillError, match="the connection broke"):
        storage.add_file("media/cd/cdef.bin", other)
    assert other.exists()  # nothing is taken that may never be stored
    assert list(bucket.open().list("")) == []
    proxy.cut_requests = 0
    storage.flush()
    assert bucket.open().read(KEY) == content
    storage.add_file("media/cd/cdef.bin", other)
    storage.flush()


def test_who_created_is_known_though_the_answer_was_lost(bucket, proxy):
    storage = bucket.open(endpoint=proxy.endpoint, retry_seconds=20)
    for number in range(5):
        proxy.cut_answers = 1
        assert storage.create(f"tags/{number}", b"mine")
    assert proxy.cuts == 5
    bucket.open().create("tags/theirs", b"mine")
    proxy.cut_answers = 1
    assert not storage.create("tags/theirs", b"mine")


@pytest.mark.parametrize("method", ["write", "local", "add"])
def test_a_file_that_the_cache_cannot_hold(bucket, method):
    bucket.open().write(KEY, b"x" * 3_000_000)
    code = """
import resource, sys
from pathlib import Path
from catalog.storage.access import Access
from catalog.storage.cache import Cache
from catalog.storage.objects import ObjectStorage
endpoint, key, secret, bucket, folder, method = sys.argv[1:]
storage = ObjectStorage(bucket, "main/a", Access(endpoint, key_id=key, secret=secret),
                        cache=Cache(Path(folder), 10**9))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))  # as a full disk does
try:
    if method == "local":
        storage.local("media/ab/abcd.bin")
    elif method == "add":  # a file from another disk is copied
        storage.add_file("media/cd/cdef.bin", Path("/dev/shm/editmill-full.bin"))
    else:
        storage.write("b", b"x" * 3_000_000)
        print("written")
except Exception as error:
    print(type(error).__name__, error)
print(sorted(path.name for path in Path(folder).rglob("*") if path.is_file()))
"""
    source = Path("/dev/shm/editmill-full.bin")
    if not os.access(source.parent, os.W_OK):
        pytest.skip("this system has no second file system")
    source.write_bytes(b"x" * 3_000_000)
    server, folder = bucket.server, bucket.folder / "full"
    arguments = [server.endpoint, server.access_key, server.secret_key, bucket.name, folder, method]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    told, left = done.stdout.splitlines()
    if method == "write":  # which takes no room here
        assert told == "written"
    else:
        assert told.startswith(f"EditmillError {folder}: cannot be written: it grew past")
    assert left == "[]"
    assert source.exists()
    source.unlink()


def test_nothing_is_logged_with_a_key(bucket, caplog):
    caplog.set_level(logging.DEBUG)
    storage = bucket.open(secret="wrong-secret-key")
    every_request(storage)
    assert "wrong-secret-key" not in caplog.text


def test_a_branch_and_a_repository_that_are_not_there(lakefs_server, tmp_path):
    server = lakefs_server
    access = Access(server.endpoint, key_id=server.access_key, secret=server.secret_key)
    cache = Cache(tmp_path / "cache", 10**9)
    made = server.repository()
    for repository, ref, remedy in (
        (made, "nowhere", f"branch create lakefs://{made}/nowhere --source lakefs://{made}/main"),
        ("no-such-repository", "main", "repo create lakefs://no-such-repository s3://BUCKET/"),
    ):
        storage = LakefsStorage(repository, ref, access, cache=cache, retry_seconds=0.2)
        raised = every_request(storage)
        requests = {
            "commit": partial(storage.commit, "m", {}),
            "tag": partial(storage.tag, "v1"),
        }
        for name, request in requests.items():
            with pytest.raises(EditmillError) as caught:
                request()
            raised[name] = caught.value
        for name, error in raised.items():
            assert f"lakectl {remedy}" in str(error) and "\n" not in str(error), name
            assert str(error).count(" create ") == 1, name  # and no other advice
            assert all(access.secret not in text for text in texts(error))


def test_a_forked_process_does_not_wait_for_ever(s3_uri):
    code = """
import os, sys
from catalog.delta.table import StoredTable
from catalog.errors import EditmillError
from catalog.storage import open_storage
storage = open_storage(sys.argv[1])
child = os.fork()
if child == 0:  # nothing was asked before: it may ask
    storage.write("a", b"a")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert storage.read("a") == b"a"
child = os.fork()
if child == 0:
    refused = 0
    for request in (lambda: storage.read("a"), lambda: storage.create("b", b"b")):
        try:
            request()
        except EditmillError as error:
            refused += "spawn" in str(error)
    os._exit(refused)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
"""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, s3_uri], env=env, check=True, timeout=60)


def test_keys_that_may_list_and_not_read_are_told_so(bucket, proxy):
    """And not that a table is damaged, which nothing but a copy would mend."""
    rows = pl.DataFrame({"n": [1, 2]})
    table = bucket.open().table("s1/pairs")
    write_deltalake(table.uri, rows, storage_options=dict(table.options))
    stored = StoredTable(bucket.open(endpoint=proxy.endpoint), "s1/pairs")
    assert stored.open() is not None
    proxy.denied = "/tables/"
    for again in (stored, StoredTable(bucket.open(endpoint=proxy.endpoint), "s1/pairs")):
        with pytest.raises(EditmillError, match=r"access denied .403.* may not do this") as caught:
            again.find_damage()
        assert "restore" not in str(caught.value) and "\n" not in str(caught.value)
    proxy.denied = ""
    assert stored.open() is not None
