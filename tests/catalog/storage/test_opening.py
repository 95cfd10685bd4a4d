"""Which storage a URI opens, and with which keys."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from catalog.storage import open_storage
from catalog.storage.access import Access, lakefs_access, s3_access
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage, Versioned
from catalog.storage.objects import ObjectStorage, s3_store
from catalog.storage.versioned import LakefsStorage

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch, tmp_path):
    for name in os.environ:
        if name.startswith(("AWS_", "LAKECTL_", "LAKEFS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / ".aws").mkdir(parents=True)


@pytest.fixture
def keys(monkeypatch):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "secret1",
        "LAKECTL_SERVER_ENDPOINT_URL": "http://localhost:8000",
        "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "AKIA2",
        "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": "secret2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def test_what_a_uri_opens(keys, tmp_path):
    for folder in (tmp_path, str(tmp_path), tmp_path.as_uri(), f"file://localhost{tmp_path}"):
        storage = open_storage(folder)
        assert isinstance(storage, FolderStorage) and storage.root == tmp_path
    assert open_storage("some/folder").uri == "some/folder"
    assert open_storage((tmp_path / "a b").as_uri()).uri == str(tmp_path / "a b")
    bucket = open_storage("s3://bucket/team/catalog/")
    assert type(bucket) is ObjectStorage and bucket.uri == "s3://bucket/team/catalog"
    assert open_storage("s3://bucket").uri == "s3://bucket"
    for uri in ("lakefs://videos", "lakefs://videos/main"):
        branch = open_storage(uri)
        assert isinstance(branch, LakefsStorage) and branch.uri == "lakefs://videos/main"
        assert isinstance(branch, Versioned)
    assert not isinstance(bucket, Versioned)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("gs://bucket/x", "gs:// is no storage"),
        ("http://host/x", "http:// is no storage"),
        ("s3://", "expected s3://bucket/prefix"),
        ("s3://KEY:hush@bucket/x", "expected s3://bucket/prefix"),
        ("lakefs://KEY:hush@host/x", "expected lakefs://repository/branch"),
        ("lakefs://videos/a/b", "expected lakefs://repository/branch"),
        ("lakefs://Videos", "expected lakefs://repository/branch"),
        ("lakefs://", "expected lakefs://repository/branch"),
        ("file://host/x", "this machine"),
    ],
)
def test_what_is_no_storage(keys, uri, told):
    with pytest.raises(EditmillError, match=told) as caught:
        open_storage(uri)
    assert "hush" not in str(caught.value) and "\n" not in str(caught.value)


def test_the_environments_keys():
    environment = {
        "AWS_ACCESS_KEY_ID": "AKIA1", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1",
        "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "https://general:9000",
    }  # fmt: skip
    expected = ("https://general:9000", "eu-west-1", "AKIA1", "secret", "token")
    assert s3_access(environment) == Access(*expected)
    environment["AWS_ENDPOINT_URL_S3"] = "https://s3.example:9000"
    assert s3_access(environment).endpoint == "https://s3.example:9000"
    assert s3_access({}) == Access()  # AWS, with the machine's role


def test_a_profiles_keys(tmp_path):
    home = tmp_path / "home" / ".aws"
    (home / "credentials").write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = B\n"
        "[team]\naws_access_key_id = C\naws_secret_access_key = D%1\naws_session_token = E\n"
    )
    (home / "config").write_text(
        "[default]\nregion = eu-central-1\n"
        "[profile team]\nregion = eu-west-3\nendpoint_url = https://minio.example\n"
    )
    assert s3_access({}) == Access("", "eu-central-1", "A", "B")
    team = s3_access({"AWS_PROFILE": "team"})
    assert team == Access("https://minio.example", "eu-west-3", "C", "D%1", "E")
    assert s3_access({"AWS_ACCESS_KEY_ID": "X", "AWS_SECRET_ACCESS_KEY": "Y"}).key_id == "X"
    with pytest.raises(EditmillError, match="AWS_PROFILE names 'tema'"):
        s3_access({"AWS_PROFILE": "tema"})
    (home / "credentials").write_text("[default]\naws_secret_access_key = hidden\nhidden")
    with pytest.raises(EditmillError, match="mend it") as caught:
        s3_access({})
    assert "hidden" not in str(caught.value) and caught.value.__context__ is None


def test_lakectls_keys(tmp_path):
    with pytest.raises(EditmillError, match="set LAKECTL_SERVER_ENDPOINT_URL"):
        lakefs_access({})
    settings = tmp_path / "home" / ".lakectl.yaml"
    settings.write_text(
        "credentials:\n  access_key_id: A\n  secret_access_key: B\n"
        "server:\n  endpoint_url: https://lakefs.example/api/v1\n"
    )
    assert lakefs_access({}) == Access("https://lakefs.example", key_id="A", secret="B")
    environment = {
        "LAKEFS_ENDPOINT": "http://other:8000", "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": "C",
        "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": "D",
    }  # fmt: skip
    assert lakefs_access(environment) == Access("http://other:8000", key_id="C", secret="D")
    environment["LAKECTL_SERVER_ENDPOINT_URL"] = "http://first:8000"
    assert lakefs_access(environment).endpoint == "http://first:8000"
    other = tmp_path / "other.yaml"
    settings.rename(other)
    assert lakefs_access({"LAKECTL_CONFIG_FILE": str(other)}).key_id == "A"
    for wrong in ("- a", "server: [", "server: text"):
        other.write_text(wrong)
        with pytest.raises(EditmillError, match="lakectl config"):
            lakefs_access({"LAKECTL_CONFIG_FILE": str(other)})


@pytest.mark.parametrize("endpoint", ["lakefs:8000", "http://", "ftp://host", "http://A:B@host"])
def test_an_endpoint_that_is_none(endpoint):
    with pytest.raises(EditmillError, match="endpoint") as caught:
        Access(endpoint)
    assert "A:B" not in str(caught.value)


def test_no_key_is_shown():
    access = Access("http://host", "r", "AKIA", "secret", "token")
    storage: Storage = ObjectStorage("bucket", access=access)
    for text in (repr(access), repr(storage), repr(storage.table("x")), str(storage.table("x"))):
        assert not any(key in text for key in ("AKIA", "secret", "token"))


def test_a_folder_loads_nothing_that_only_a_bucket_needs():
    code = (
        "import sys; from catalog.storage import open_storage; open_storage('x').exists('a'); "
        "print([m for m in ('obstore', 'lakefs', 'lakefs_sdk', 'yaml') if m in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("name", ["", "  "])
def test_a_blank_name_is_refused(name):
    with pytest.raises(EditmillError, match="name is blank"):
        open_storage(name)


def test_the_same_place_with_the_same_keys_shares_one_store():
    opened = s3_store("bucket", "team", Access(key_id="a", secret="b"), 1)
    assert s3_store("bucket", "team", Access(key_id="a", secret="b"), 1) is opened
    assert s3_store("bucket", "team", Access(key_id="a", secret="c"), 1) is not opened
