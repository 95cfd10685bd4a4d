"""A kind of checkpoint to look for, with a hub and caches of the tests' own."""

from pathlib import Path

import pytest

from experts.checkpoint import Kind
from tests.hub import COMMIT, FILES, REPO, hub, model_cache  # noqa: F401

NAMED = f"{REPO}@{COMMIT}"
KIND = Kind(
    what="depth model",
    files=("config.json", "model*.safetensors"),
    optional=("tokenizer/*.json",),
    option="EDITMILL_DEPTH",
    example=REPO,
    library="numpy",
    package="numpy",
    extra="depth",
)


@pytest.fixture(autouse=True)
def cache(model_cache: Path) -> Path:  # noqa: F811
    """Editmill's; no test here reads or writes the user's."""
    return model_cache


def laid(folder: Path, files: dict[str, bytes]) -> Path:
    """The files, in a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
