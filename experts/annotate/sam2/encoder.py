"""SAM 2's image encoder as it is run: derived once from the pinned file, then kept.

The pinned file is in float32 and in onnxruntime's own format; :mod:`experts.annotate.sam2.hiera`
writes the same network with 8-bit matrix products (54 MB), one for wide pictures and one for tall
ones. They lie among the derived models of the user's cache, under names that say which file and
which derivation they come from.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import onnxruntime as ort

from catalog.keys import digest
from experts.annotate.sam2 import hiera, onnx_file
from experts.weights import cache_dir, entry, fetch

SLOT = "sam2_tiny_encoder"

DERIVATION = "2"
"""Rises whenever the same pinned file gives another network."""


def version() -> str:
    """Of the pinned file and the derivation; nothing is fetched or made for it."""
    return digest(entry(SLOT).sha256, DERIVATION)


def path(tall: bool = False) -> Path:
    """The derived network's file, made first (some seconds) if it is not in the cache; `tall`: the
    one for pictures that are higher than wide."""
    shape = "-tall" if tall else ""
    kept = cache_dir() / "models" / f"{SLOT}-{version()}{shape}.onnx"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            constants = exported_constants(fetch(SLOT))
            unfinished.write_bytes(hiera.encoder(constants, "by columns" if tall else "by rows"))
            unfinished.replace(kept)  # whole or not at all, whoever else is making it
        finally:
            unfinished.unlink(missing_ok=True)
    return kept


def exported_constants(exported: Path) -> dict[str, onnx_file.Array]:
    """The weights in a network of onnxruntime's own format, which onnxruntime itself turns into
    ONNX, by their names."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ONNX")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "encoder.onnx"
        options.optimized_model_filepath = str(plain)
        ort.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
        return onnx_file.constants(plain)
