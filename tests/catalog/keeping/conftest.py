"""A catalog of two sources in two selections."""

from tests.catalog.keeping.two_sources import made, two_sources_once  # noqa: F401
