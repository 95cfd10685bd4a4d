"""The rendered scenes, each read once."""

from __future__ import annotations

import pytest

from infra.bench.rendered.load import RenderedScene, names, scene


@pytest.fixture(scope="session", params=names())
def made(request: pytest.FixtureRequest) -> RenderedScene:
    """Each of the rendered scenes in turn; pytest runs all tests of one before the next."""
    return scene(request.param)
