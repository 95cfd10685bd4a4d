"""Reads what Blender writes: OpenEXR of several layers, by scan lines, uncompressed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TYPES = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
"""By OpenEXR's pixel type."""


def read_exr(path: Path) -> dict[str, NDArray[np.float32]]:
    """Each channel by its name, `ViewLayer.Combined.R` …: float32 [H, W].

    Layout: "Technical Introduction to OpenEXR", https://openexr.com/en/latest/OpenEXRFileLayout.html.
    Raises ValueError for a compressed or tiled file.
    """
    data = path.read_bytes()
    attributes, at = {}, 8
    while data[at]:
        name_end = data.index(b"\0", at)
        type_end = data.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<i", data, type_end + 1)
        attributes[data[at:name_end].decode()] = data[type_end + 5 : type_end + 5 + size]
        at = type_end + 5 + size
    if attributes["compression"] != b"\0" or "tiles" in attributes:
        raise ValueError(f"{path}: is compressed or tiled; write it by scan lines with codec NONE")
    x0, y0, x1, y1 = struct.unpack("<4i", attributes["dataWindow"])
    height, width = y1 - y0 + 1, x1 - x0 + 1
    fields, listed, k = [], attributes["channels"], 0
    while listed[k]:
        end = listed.index(b"\0", k)
        (kind,) = struct.unpack_from("<i", listed, end + 1)
        fields.append((listed[k:end].decode(), TYPES[kind], (width,)))
        k = end + 17
    line = np.dtype([("y", "<i4"), ("size", "<i4"), *fields])
    lines = np.frombuffer(data, line, height, at + 1 + 8 * height)
    return {name: lines[name].astype(np.float32) for name, *_ in fields}
