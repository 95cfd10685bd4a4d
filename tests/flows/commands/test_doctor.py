"""The doctor's verdicts at their edges, and its exit code."""

import json
import resource
import tempfile
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from experts import weights
from experts.weights import registry
from flows.commands.machine import doctor
from flows.commands.machine.libraries import check_libraries


def test_python_versions() -> None:
    assert doctor.check_python((3, 10)).status == "fail"
    assert doctor.check_python((3, 11)).status == "ok"
    assert doctor.check_python((3, 13)).status == "ok"
    assert doctor.check_python((3, 14)).status == "fail"
    assert "3.11 to 3.13" in doctor.check_python((3, 14)).remedy


def test_cores_and_memory() -> None:
    assert [doctor.check_cores(n).status for n in (1, 2, 64)] == ["warn", "ok", "ok"]
    assert [doctor.check_memory(gb).status for gb in (1, 4, 16)] == ["fail", "warn", "ok"]


def test_memory_found_is_within_the_machine() -> None:
    import psutil

    assert 0 < doctor._free_memory() <= psutil.virtual_memory().total


def test_encoder_falls_back() -> None:
    assert doctor.check_encoder({"libx264", "libvpx-vp9"}).status == "ok"
    fallback = doctor.check_encoder({"libvpx-vp9", "libaom-av1"})
    assert fallback.status == "warn"
    assert "vp9" in fallback.found
    none = doctor.check_encoder({"mpeg4"})
    assert none.status == "fail"
    assert "pip install av" in none.remedy


@pytest.mark.parametrize(
    ("prefect", "fastapi", "status"),
    [
        ("3.8.8", "0.150.0", "ok"),
        ("3.8.0", "0.115.2", "ok"),
        ("3.8.8", "0.151.0", "fail"),
        ("3.9.0", "0.150.0", "fail"),
    ],
)
def test_prefect_pin(prefect: str, fastapi: str, status: str) -> None:
    assert doctor.check_prefect(prefect, fastapi).status == status


def test_limits() -> None:
    unlimited = resource.RLIM_INFINITY
    assert doctor.check_limits(1024, unlimited).status == "ok"
    assert doctor.check_limits(unlimited, unlimited).status == "ok"
    assert doctor.check_limits(64, unlimited).status == "warn"
    assert "ulimit -f" in doctor.check_limits(1024, 5_000_000).remedy


def test_disk(tmp_path) -> None:
    absent = tmp_path / "not" / "yet"
    assert doctor.check_disk("disk", absent, 0.0).status == "ok"
    assert not absent.exists()
    full = doctor.check_disk("disk", absent, 1e9)
    assert (full.status, full.remedy) == ("fail", "free some space")


def test_disk_not_writable(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)  # root may write anywhere
    check = doctor.check_disk("disk", tmp_path, 0.0)
    assert check.status == "fail"
    assert str(tmp_path) in check.found


def test_missing_weights_cost_a_download(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path))
    entries = weights.standard_entries()
    check = doctor.check_weights(entries)
    assert check.status == "warn"
    assert check.found.startswith(f"0 of the {len(entries)} ")
    assert f"{sum(e.size for e in entries) / 1e6:.0f} MB" in check.cost
    assert "--fetch" in check.remedy


def _unreachable(_http, source):
    raise registry.UnreachableError(f"{source.kind}.example cannot be reached")


def test_unreachable_registry_fails_only_where_it_is_needed(monkeypatch) -> None:
    monkeypatch.setattr(registry, "archive_url", _unreachable)
    needed = doctor.check_registries(needed=True)
    assert needed.status == "fail"
    assert "pypi.example cannot be reached" in needed.found
    assert "PIP_INDEX_URL" in needed.remedy
    assert doctor.check_registries(needed=False).status == "warn"


def test_reachable_registry(monkeypatch) -> None:
    monkeypatch.setattr(registry, "archive_url", lambda _http, source: source.package)
    check = doctor.check_registries(needed=True)
    assert (check.status, check.found) == ("ok", "npm answers, pypi answers")


def test_silent_registry_is_not_waited_for(monkeypatch) -> None:
    import threading

    release = threading.Event()
    monkeypatch.setattr(doctor, "QUICK_SECONDS", 0.05)
    monkeypatch.setattr(registry, "archive_url", lambda *_: release.wait(20))
    check = doctor.check_registries(needed=True)
    release.set()
    assert check.status == "fail"
    assert "no answer" in check.found


def test_show(monkeypatch, capsys) -> None:
    rows = [
        doctor.SetupCheck("a", "ok", "all"),
        doctor.SetupCheck("b", "warn", "some", "slower", "more"),
    ]
    monkeypatch.setattr(doctor, "run", lambda: rows)
    assert doctor.show(True) == 0
    assert json.loads(capsys.readouterr().out)[1] == {
        "name": "b",
        "status": "warn",
        "found": "some",
        "cost": "slower",
        "remedy": "more",
    }
    rows.append(doctor.SetupCheck("c", "fail", "nothing", "no build", "mend it"))
    console = Console(width=120, record=True, file=StringIO())
    assert doctor.show(False, console) == 1
    text = console.export_text()
    assert "slower; more" in text
    assert "1 of 3 failed" in text


def test_run_covers_every_check_once(monkeypatch) -> None:
    monkeypatch.setattr(registry, "archive_url", lambda _http, source: source.package)
    names = [check.name for check in doctor.run()]
    assert len(names) == len(set(names))
    assert {"python", "memory", "weights", "video encoder", "prefect", "gpu"} <= set(names)


def test_what_cannot_be_chosen_for_want_of_a_library_is_named() -> None:
    whole = check_libraries()
    assert whole.status == "ok" and "transformers" in whole.found
    some = check_libraries(lambda library: library not in ("sam2", "open_clip"))
    assert some.status == "warn"
    assert "track: sam2_video" in some.cost and "encode: open_clip" in some.cost
    assert "grounding_dino" not in some.cost
    assert some.remedy.endswith("pip install -e '.[clip,gpu]'")
    assert "not installed: open_clip, sam2" in some.found
    assert check_libraries(lambda _: False).found.startswith("0 of ")


def test_a_depth_model_is_wanted_only_for_the_depth_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITMILL_DEPTH", raising=False)
    none = doctor.check_depth()
    assert none.status == "warn" and "EDITMILL_DEPTH" in none.remedy
    monkeypatch.setenv("EDITMILL_DEPTH", str(tmp_path))
    assert "missing" in doctor.check_depth().remedy
    monkeypatch.setenv("EDITMILL_DEPTH", "owner/model")
    assert doctor.check_depth().status == "ok"


def test_it_says_what_of_prefects_is_not_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    (tmp_path / "prefect.toml").touch()
    found = doctor.check_server()
    assert found.status == "ok"
    assert "PREFECT_API_URL" in found.found and "prefect.toml" in found.found
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "prefect.toml"))
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "prefect.toml"))
    assert doctor.check_server().status == "fail"
