"""Checkpoints of the user's: from the hub only at a commit, and never a pickle."""

import ast
import functools
from pathlib import Path

import pytest

import catalog
from catalog.errors import EditmillError
from experts.checkpoint import Kind, download
from tests.experts.checkpoint.conftest import KIND, NAMED, laid
from tests.hub import COMMIT, FILES, REPO, Hub


@pytest.mark.parametrize(
    "named",
    [
        "owner/model",
        "~nobody-of-this-name/model",
        "m" * 5000,
        "owner/model@main",
        f"owner/model@{COMMIT[:7]}",
        f"owner/model@{COMMIT.upper()}",
        f"a/b/model@{COMMIT}",
        f"model@{COMMIT}",
        f"owner/model@{COMMIT}\n",
        f"../model@{COMMIT}",
        f"owner/..@{COMMIT}",
    ],
)
def test_a_hub_id_needs_its_commit(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "fetch", None)  # not even asked
    for ask in (KIND.folder, KIND.present, KIND.version):
        with pytest.raises(
            EditmillError, match=r"(without its commit|no such folder); set EDITMILL_DEPTH"
        ) as caught:
            ask(named)
        assert "\n" not in str(caught.value)
        assert "owner/model@<commit>" in str(caught.value)


@pytest.mark.parametrize("named", ["~/gone", "/gone/model", "./model", "a/b/model"])
def test_a_path_that_is_not_there_is_told_as_one(named: str) -> None:
    with pytest.raises(EditmillError, match="there is no such folder; set EDITMILL_DEPTH"):
        KIND.present(named)


def test_a_commit_is_its_own_version(hub: Hub) -> None:
    version = KIND.version(NAMED)
    assert version.startswith(f"{COMMIT[:8]}+numpy-")
    KIND.folder(NAMED)
    assert KIND.version(NAMED) == version
    assert KIND.version(f"{REPO}@{'f' * 40}") != version


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    same = laid(tmp_path / "a", FILES), laid(tmp_path / "b", {**FILES, "README.md": b"#"})
    other = laid(tmp_path / "c", {**FILES, "config.json": b"[]"})
    tokenizer = laid(tmp_path / "d", {**FILES, "tokenizer/vocab.json": b"{}"})
    assert len({KIND.version(folder) for folder in same}) == 1
    assert len({KIND.version(str(folder)) for folder in (same[0], other, tokenizer)}) == 3


def refused(folder: Path) -> str:
    for ask in (KIND.folder, KIND.present, KIND.version):
        with pytest.raises(EditmillError) as caught:
            ask(folder)
    assert "\n" not in str(caught.value)
    assert "set EDITMILL_DEPTH to a folder with config.json" in str(caught.value)
    return str(caught.value)


def test_a_folder_must_be_whole(tmp_path: Path) -> None:
    assert f"{tmp_path}: is no depth model (config.json, model*.safetensors missing)" in refused(
        tmp_path
    )
    laid(tmp_path, {"config.json": b"{}", "model-00001-of-00002.safetensors": b""})
    assert "(model-00002-of-00002.safetensors missing)" in refused(tmp_path)


def test_a_folder_of_pickles_is_refused(tmp_path: Path) -> None:
    laid(tmp_path, {"config.json": b"{}", "pytorch_model.bin": b""})
    assert "its weights only as a pickle (pytorch_model.bin)" in refused(tmp_path)


def test_a_kind_names_safe_formats_only() -> None:
    for pattern in ("*", "pytorch_model.bin", "modeling.py"):
        with pytest.raises(ValueError, match="may match files that can run code"):
            Kind("what", (pattern,), "X", REPO, "numpy", "numpy", "depth")


OPENERS = {"from_pretrained", "load", "loads"}


@functools.cache
def calls() -> list[tuple[str, str, dict[str, object]]]:
    """Every call in the code whose name says that it opens a checkpoint: where, name, arguments."""
    home = Path(catalog.__file__).parent.parent
    found = []
    for room in ("catalog", "experts", "filters", "flows"):
        for path in sorted((home / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                if node.func.attr in OPENERS:
                    given = {
                        word.arg: word.value.value
                        for word in node.keywords
                        if word.arg and isinstance(word.value, ast.Constant)
                    }
                    found.append((f"{path.name}:{node.lineno}", ast.unparse(node.func), given))
    return found


def test_nothing_is_opened_that_may_run_code() -> None:
    opened = [call for call in calls() if call[1].endswith(".from_pretrained")]
    assert len(opened) >= 6
    for where, name, given in opened:
        assert given.get("local_files_only") is True, where
        if "Tokenizer" in name or "Processor" in name:
            assert given.get("trust_remote_code") is False, where
        elif "Auto" in name or "Config" not in name:  # a configuration of a known class is JSON
            assert given.get("use_safetensors") is True, where
    loaded = [call for call in calls() if call[1] == "torch.load"]
    assert len(loaded) >= 3
    for where, _, given in loaded:
        assert given.get("weights_only") is True, where
    for where, name, _ in calls():
        assert name not in {"pickle.load", "pickle.loads", "joblib.load"}, where
