"""A hub of its own, an empty cache, and a kind of checkpoint to look for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from experts.checkpoint import Kind
from tests.hub import COMMIT, Hub, serving

REPO = "owner/model"
NAMED = f"{REPO}@{COMMIT}"
KIND = Kind(
    what="depth model",
    files=("config.json", "model*.safetensors"),
    also=("tokenizer/*.json",),
    option="EDITMILL_DEPTH",
    example=REPO,
    library="numpy",
    package="numpy",
    extra="depth",
)
FILES = {
    "config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 1200,
    "tokenizer/vocab.json": b'{"a": 0}',
}
OTHERS = {"README.md": b"#", "modeling.py": b"1", "pytorch_model.bin": b"\x80\x04."}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Editmill's cache; the hub's own is empty too, and no mirror is named."""
    monkeypatch.setenv("EDITMILL_CACHE", str(tmp_path / "cache"))
    for name in ("EDITMILL_MIRROR", "EDITMILL_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "cache"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """What HF_ENDPOINT names; the client reads it when it is imported, so it is put there."""
    with serving() as hub:
        hub.repos[REPO] = {**FILES, **OTHERS}
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    """The files, in a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
