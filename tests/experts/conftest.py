"""A depth checkpoint of the real class, small enough for a test."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_depth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a Depth Anything model with random weights and an input of 56 px."""
    pytest.importorskip("transformers")
    from tests.checkpoints.depth_anything import make

    return make(tmp_path_factory.mktemp("depth"))
