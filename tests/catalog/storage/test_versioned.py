"""A catalog on a real lakeFS: builds on branches of their own, merged at once or not at all."""

import pickle
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

import catalog
from catalog.errors import EditmillError
from catalog.policy import Policy
from catalog.records import Failure
from catalog.storage import open_storage
from catalog.storage.versioned import LakefsStorage
from tests.servers import commits


@pytest.fixture
def main(lakefs_uri) -> LakefsStorage:
    return open_storage(lakefs_uri)


def append(storage: LakefsStorage, name: str, rows: list[int], app: str) -> None:
    """As a build does: once for each shard, however often it is tried."""
    place = storage.table(name)
    options = dict(place.options)
    if DeltaTable.is_deltatable(place.uri, options) and (
        DeltaTable(place.uri, storage_options=options).transaction_version(app) is not None
    ):
        return
    write_deltalake(
        place.uri, pl.DataFrame({"n": rows}).to_arrow(), mode="append", storage_options=options,
        commit_properties=CommitProperties(app_transactions=[Transaction(app, 1)]),
    )  # fmt: skip


def rows(storage: LakefsStorage, name: str) -> list[int]:
    place = storage.table(name)
    frame = pl.scan_delta(place.uri, storage_options=dict(place.options)).collect()
    return sorted(frame["n"].to_list())


def test_a_build_is_seen_when_it_is_merged(main):
    build = main.branch("build-1")
    assert (build.uri, main.uri) == (
        f"lakefs://{main.bucket}/build-1",
        f"lakefs://{main.bucket}/main",
    )
    path = build.scratch / "made.bin"
    path.write_bytes(b"content")
    build.add_file("media/ab/abcd.bin", path)
    append(build, "s1/pairs", [1, 2], "shard-0")
    assert build.commit("Shard 0", {"recipe": "r1"})  # with what was still on its way
    assert not build.commit("Nothing new", {})
    assert list(main.list("")) == []
    append(build, "s1/pairs", [3], "shard-1")
    build = pickle.loads(pickle.dumps(build))  # another process knows what to merge it into
    build.merge_into_main("Build 1", {"recipe": "r1", "pairs": "3"})
    assert rows(main, "s1/pairs") == [1, 2, 3]
    assert main.local("media/ab/abcd.bin").read_bytes() == b"content"
    build.merge_into_main("Again", {})  # nothing to do
    last, *before = commits(main)
    assert last.message == "Build 1" and last.metadata["pairs"] == "3"
    assert [commit.message for commit in before[:2]] == ["Build 1", "Shard 0"]
    assert before[1].metadata == {"recipe": "r1"}


def test_a_tag_keeps_what_it_names(main, lakefs_uri):
    append(main, "s1/pairs", [1], "a")
    main.commit("One", {})
    assert not main.has_tag("v1")
    main.tag("v1")
    assert main.has_tag("v1")
    main.tag("v1")  # the same again is no error
    append(main, "s1/pairs", [2], "b")
    main.write("releases/v2.json", b"{}")
    main.commit("Two", {})
    with pytest.raises(EditmillError, match="there is a tag or branch v1 already"):
        main.tag("v1")
    release = open_storage(f"{lakefs_uri}/v1")
    assert rows(release, "s1/pairs") == [1] and rows(main, "s1/pairs") == [1, 2]
    assert release.read("releases/v2.json") is None
    with pytest.raises(EditmillError, match="lakeFS answered"):
        main.tag("no name")


def test_an_interrupted_build_goes_on_where_it_was(main):
    main.branch("build").write("work/edit/ab/1.json", b"done")  # and then killed: no commit
    main.write("catalog.json", b"{}")
    main.commit("Another build, meanwhile", {})
    again = main.branch("build")
    assert again.read("work/edit/ab/1.json") == b"done"
    assert again.read("catalog.json") == b"{}"
    assert commits(again)[0].message == "Take in main"
    again.merge_into_main("Build", {})
    assert main.read("work/edit/ab/1.json") == b"done"
    again.delete_branch()
    again.delete_branch()
    assert again.bucket == main.bucket and main.branch("build").read("catalog.json") == b"{}"


def test_who_merges_second_runs_again_and_nothing_is_lost(main):
    builds = [main.branch("first"), main.branch("second")]
    for number, build in enumerate(builds):
        append(build, "models", [number], f"build-{number}")
        append(build, f"s{number}/pairs", [number], "shard-0")
    builds[0].merge_into_main("First", {})
    with pytest.raises(EditmillError, match="run the build again: it continues") as caught:
        builds[1].merge_into_main("Second", {})
    assert "\n" not in str(caught.value)
    assert rows(main, "models") == [0] and list(main.list("tables/s1")) == []  # all or nothing
    again = main.branch("second")
    append(again, "models", [1], "build-1")  # gone, as main's was taken: so it is made again
    append(again, "s1/pairs", [1], "shard-0")  # there, so it is not
    again.merge_into_main("Second, again", {})
    assert rows(main, "models") == [0, 1]
    assert rows(main, "s0/pairs") == [0] and rows(main, "s1/pairs") == [1]


def test_a_merge_while_others_write_to_main(main):
    build = main.branch("build")
    build.write("a", b"build")
    end = time.monotonic() + 2

    def write(number: int) -> None:
        count = 0
        while time.monotonic() < end:
            main.write(f"releases/{number}-{count}", b"x")
            count += 1
            time.sleep(0.05)

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, number) for number in range(2)]
        build.merge_into_main("Build", {})
        end = 0
        for writer in writers:
            writer.result()
    assert main.read("a") == b"build"


def test_many_builds_at_once(main):
    def build(number: int) -> None:
        branch = main.branch(f"build-{number}")
        for shard in range(3):
            append(branch, f"s{number}/pairs", [shard], f"shard-{shard}")
            branch.commit(f"Shard {shard}", {})
        branch.merge_into_main(f"Build {number}", {})
        branch.delete_branch()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(build, range(4)))
    for number in range(4):
        assert rows(main, f"s{number}/pairs") == [0, 1, 2]


def test_workers_append_to_one_branch_at_once(main):
    branch = main.branch("build")
    append(branch, "s1/pairs", [-1], "first")
    with ThreadPoolExecutor(4) as pool:
        opened = [open_storage(branch.uri) for _ in range(4)]
        list(pool.map(lambda n: append(opened[n % 4], "s1/pairs", [n], f"shard-{n}"), range(24)))
    assert rows(branch, "s1/pairs") == list(range(-1, 24))


def test_the_main_branch_is_not_deleted(main):
    with pytest.raises(EditmillError, match="never deleted"):
        main.delete_branch()


def test_wrong_keys_and_a_server_that_is_gone(main, monkeypatch):
    monkeypatch.setenv("LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY", "wrong-secret")
    wrong = open_storage(main.uri)
    with pytest.raises(EditmillError, match="the keys are wrong; check LAKECTL") as caught:
        wrong.commit("x", {})
    assert "wrong-secret" not in str(caught.value) and caught.value.__context__ is None
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "http://127.0.0.1:9")
    gone = LakefsStorage(main.bucket, retry_seconds=0.2)
    with pytest.raises(EditmillError, match="cannot be reached"):
        gone.commit("x", {})


def test_without_the_package(main, monkeypatch):
    main.write("a", b"a")  # objects need none
    monkeypatch.setitem(sys.modules, "lakefs", None)
    for request in (
        lambda: main.commit("x", {}), lambda: main.tag("v1"),
        lambda: main.branch("build"), lambda: main.merge_into_main("x", {}),
    ):  # fmt: skip
        with pytest.raises(EditmillError, match=r"pip install 'editmill\[lakefs\]'"):
            request()


def test_a_release_that_was_stopped_before_its_tag_gets_it_with_the_next(main, monkeypatch):
    at = catalog.open(main, create=True).select("one", "{}", Policy(), "1")
    at.become_main()
    at.tables.put("failures", {"f": [Failure("f", "edit", "r", "x", "")]})

    def stopped(*of):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(LakefsStorage, "tag", stopped)
        at.release("v1")
    assert catalog.open(main).tags() == ["v1"] and not main.has_tag("v1")
    assert at.release("v2").tag == "v1"
    assert catalog.open(f"{main.uri.rpartition('/')[0]}/v1").tags() == ["v1"]


def test_of_two_that_tag_a_release_at_once_one_does(main, monkeypatch):
    at = catalog.open(main, create=True)
    at.tables.put("failures", {"f": [Failure("f", "edit", "r", "x", "")]})
    with monkeypatch.context() as patched:

        def meanwhile(storage, name):
            patched.undo()
            assert catalog.open(main).release("v1").tag == name
            main.write("a", b"a")
            main.commit("What came behind it", {})
            storage.tag(name)

        patched.setattr(LakefsStorage, "tag", meanwhile)
        assert at.release("v1").tag == "v1"
    assert main.has_tag("v1")


def test_a_tag_that_somebody_else_gave_is_no_releases(main):
    at = catalog.open(main, create=True)
    at.tables.put("failures", {"f": [Failure("f", "edit", "r", "x", "")]})
    main.commit("One", {})
    main.tag("v1")
    with pytest.raises(EditmillError, match="has a tag v1 already; choose a new tag"):
        at.release("v1")
    assert at.tags() == []
    assert at.release(at.next_tag()).tag == "v2"


def test_names_that_are_no_tags_may_be_a_releases(main):
    at = catalog.open(main, create=True)
    at.tables.put("failures", {"f": [Failure("f", "edit", "r", "x", "")]})
    main.commit("One", {})
    begins = commits(main)[0].id[:5]  # lakeFS takes it for that commit
    assert not main.has_tag(begins)
    assert at.release(begins).tag == begins
    assert main.has_tag(begins)


def test_a_release_has_no_branchs_name(main, lakefs_uri):
    main.write("a", b"a")
    branch = main.branch("v1")
    assert main.has_branch("v1") and not main.has_tag("v1")
    assert not main.has_branch("v")
    at = catalog.open(main, create=True)
    at.tables.put("failures", {"f": [Failure("f", "edit", "r", "x", "")]})
    with pytest.raises(EditmillError, match="has a branch v1 already; choose a new tag"):
        at.release("v1")
    assert at.tags() == []
    with pytest.raises(EditmillError, match="there is a tag or branch v1 already"):
        branch.tag("v1")
    assert at.release(at.next_tag()).tag == "v2"
