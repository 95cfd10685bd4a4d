"""One small catalog for all tests that only read."""

from pathlib import Path

import pytest

import editmill
from catalog.releases import Catalog
from tests.editmill.small_catalog import write_small_catalog


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_catalog(tmp_path_factory.mktemp("small") / "set").root


@pytest.fixture(scope="session")
def dataset(root: Path) -> Catalog:
    return editmill.open(root, ref="v1")
