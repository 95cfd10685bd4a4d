"""SAM 2's networks as they are run: derived once from the pinned files, then kept.

The pinned files are in float32; :mod:`experts.annotate.sam2.hiera` writes the encoder with 8-bit
matrix products (54 MB), one for wide pictures and one for tall ones, and
:mod:`experts.annotate.sam2.mask_decoder` the decoder (23 MB). They lie among the derived models of
the user's cache, under names that say which file and which derivation they come from.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import onnxruntime as ort

from catalog.keys import digest
from experts.annotate.sam2 import hiera, mask_decoder, onnx_file
from experts.weights import cache_dir, entry, fetch

ENCODER = "sam2_tiny_encoder"
DECODER = "sam2_tiny_decoder"

DERIVATIONS = {ENCODER: "3", DECODER: "1"}
"""Each rises whenever the same pinned file gives another network."""


def version(slot: str) -> str:
    """Of the slot's pinned file and its derivation; nothing is fetched or made for it."""
    return digest(entry(slot).sha256, DERIVATIONS[slot])


def encoder(tall: bool = False) -> Path:
    """The derived encoder's file, made first (some seconds) if it is not in the cache; `tall`: the
    one for pictures that are higher than wide."""
    keys: hiera.Keys = "by columns" if tall else "by rows"
    shape = "-tall" if tall else ""
    return _derived(ENCODER, shape, lambda constants: hiera.encoder(constants, keys))


def decoder() -> Path:
    """The derived decoder's file, likewise."""
    return _derived(DECODER, "", mask_decoder.mask_decoder)


def _derived(slot: str, shape: str, write: Callable[[hiera.Constants], bytes]) -> Path:
    kept = cache_dir() / "models" / f"{slot}-{version(slot)}{shape}.onnx"
    if not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f".{uuid.uuid4().hex}.tmp")
        try:
            unfinished.write_bytes(write(exported_constants(fetch(slot))))
            unfinished.replace(kept)  # whole or not at all, whoever else is making it
        finally:
            unfinished.unlink(missing_ok=True)
    return kept


def exported_constants(exported: Path) -> dict[str, onnx_file.Array]:
    """The weights in an exported network, which may be in onnxruntime's own format, by their names:
    onnxruntime itself writes it as ONNX."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ONNX")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "network.onnx"
        options.optimized_model_filepath = str(plain)
        ort.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
        return onnx_file.constants(plain)
