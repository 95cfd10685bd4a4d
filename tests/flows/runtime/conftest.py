"""Fixtures of the tests of how a build runs."""

from tests.hub import model_cache  # noqa: F401
