"""A catalog at a ref, and its releases."""

from catalog.releases.catalog import MAIN, NO_SELECTION, Catalog, check_tag

__all__ = ["MAIN", "NO_SELECTION", "Catalog", "check_tag"]
