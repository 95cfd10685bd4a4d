"""Checkpoints of the user's: from the hub only at a commit, and never a pickle."""

import ast
from pathlib import Path

import huggingface_hub
import pytest

import catalog
from catalog.errors import EditmillError
from experts.checkpoint import Kind

KIND = Kind(
    what="depth model",
    files=("config.json", "model.safetensors"),
    option="EDITMILL_DEPTH",
    example="owner/model",
    library="numpy",
    package="numpy",
    extra="depth",
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "named",
    [
        "owner/model",
        "owner/model@main",
        f"owner/model@{COMMIT[:7]}",
        f"owner/model@{COMMIT.upper()}",
        f"a/b/model@{COMMIT}",
        f"model@{COMMIT}",
        f"owner/model@{COMMIT}\n",
    ],
)
def test_a_hub_id_needs_its_commit(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "snapshot_download", None)  # not even asked
    with pytest.raises(EditmillError, match="without its commit; set EDITMILL_DEPTH") as caught:
        KIND.folder(named)
    assert "\n" not in str(caught.value)
    assert "owner/model@<commit>" in str(caught.value)


def test_the_hub_is_asked_for_that_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def snapshot_download(name: str, **how: object) -> str:
        asked.append((name, how["revision"], how["allow_patterns"]))
        for file in KIND.files:
            (tmp_path / file).touch()
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert KIND.folder(f"owner/model@{COMMIT}") == tmp_path
    assert asked == [("owner/model", COMMIT, ["config.json", "model.safetensors"])]


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    versions = set()
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        for file in KIND.files:
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / file).write_bytes(content)
        versions.add(KIND.version(KIND.folder(str(tmp_path / name))))
    assert len(versions) == 2


def calls() -> list[tuple[str, str, dict[str, object]]]:
    """Every call in the code whose name says that it opens a checkpoint: where, name, arguments."""
    home = Path(catalog.__file__).parent.parent
    found = []
    for room in ("catalog", "experts", "filters", "flows"):
        for path in sorted((home / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
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
        else:
            assert given.get("use_safetensors") is True, where
    loaded = [call for call in calls() if call[1] == "torch.load"]
    assert len(loaded) >= 3
    for where, _, given in loaded:
        assert given.get("weights_only") is True, where
    for where, name, _ in calls():
        assert name not in {"pickle.load", "pickle.loads", "joblib.load"}, where
