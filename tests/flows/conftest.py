"""What all tests of commands share."""

import functools
from collections.abc import Iterator

import pytest
import typer.testing
from typer.main import get_command


@pytest.fixture(scope="session", autouse=True)
def _commands_declared_once() -> Iterator[None]:
    """As in the `editmill` program: Typer's runner declares all of them anew for each call, which
    takes 50 ms of the processor."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(typer.testing, "_get_command", functools.cache(get_command))
        yield
