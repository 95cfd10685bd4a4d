"""Pinned weights and sample clips: which there are (`weights.toml`), and getting them on disk."""

from experts.weights.manifest import (
    MANIFEST,
    WeightsEntry,
    cache_dir,
    entries,
    entry,
    fetch,
    fetch_all,
    standard_entries,
)

__all__ = [
    "MANIFEST",
    "WeightsEntry",
    "cache_dir",
    "entries",
    "entry",
    "fetch",
    "fetch_all",
    "standard_entries",
]
