"""A catalog at a ref, and its releases."""

from catalog.releases.catalog import MAIN, NO_SELECTION, VERSIONED, Catalog, check_tag

__all__ = ["MAIN", "NO_SELECTION", "VERSIONED", "Catalog", "check_tag"]
