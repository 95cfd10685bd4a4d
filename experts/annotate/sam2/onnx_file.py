"""ONNX files without the `onnx` package: constants read from one, small graphs written.

A file is a protobuf message (onnx.proto); of its some hundred fields these few are what a network
of standard operators on float, int8 and int64 tensors needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Attribute = int | float | Sequence[int]

IR_VERSION = 8
OPSETS = {"": 17, "com.microsoft": 1}
"""Operator sets: 17 is the first with LayerNormalization; the other are onnxruntime's own."""

DTYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64}
"""TensorProto.DataType of the element types in use."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types


@dataclass(slots=True)
class Graph:
    """A graph under construction; `add` appends an operator and names what it gives."""

    nodes: list[bytes] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    _names: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)

    def add(self, operator: str, *inputs: str | Array, domain: str = "", **attributes: Any) -> str:
        """The name of the first output of one more operator over values or constants."""
        return self.split(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def split(
        self,
        operator: str,
        *inputs: str | Array,
        outputs: int,
        domain: str = "",
        **attributes: Attribute,
    ) -> list[str]:
        """As `add`, for an operator with several outputs."""
        names = [f"{operator}_{len(self.nodes)}_{i}" for i in range(outputs)]
        given = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        self.nodes.append(
            b"".join(_field(1, name.encode()) for name in given)
            + b"".join(_field(2, name.encode()) for name in names)
            + _field(4, operator.encode())
            + b"".join(_field(5, _attribute(name, value)) for name, value in attributes.items())
            + (_field(7, domain.encode()) if domain else b"")
        )
        return names

    def _constant(self, value: Array) -> str:
        """Its name; equal constants are kept once, however many operators take them."""
        key = (value.dtype.str, value.shape, value.tobytes())
        name = self._names.setdefault(key, f"constant_{len(self.constants)}")
        self.constants[name] = value
        return name

    def serialized(
        self,
        inputs: Mapping[str, Sequence[int | str]],
        outputs: Mapping[str, tuple[str, Sequence[int | str]]],
    ) -> bytes:
        """The file's bytes. `inputs`: shapes of the float inputs by name, an unknown side as a
        word; `outputs`: by name, the value that is given out and its shape."""
        renamed = [
            _field(1, value.encode()) + _field(2, name.encode()) + _field(4, b"Identity")
            for name, (value, _) in outputs.items()
        ]
        graph = (
            b"".join(_field(1, node) for node in (*self.nodes, *renamed))
            + _field(2, b"graph")
            + b"".join(_field(5, _tensor(*item)) for item in self.constants.items())
            + b"".join(_field(11, _float_value(*item)) for item in inputs.items())
            + b"".join(
                _field(12, _float_value(name, shape)) for name, (_, shape) in outputs.items()
            )
        )
        opsets = b"".join(
            _field(8, _field(1, domain.encode()) + _field(2, version))
            for domain, version in OPSETS.items()
        )
        return _field(1, IR_VERSION) + opsets + _field(7, graph)


def constants(path: Path) -> dict[str, Array]:
    """The constants of an ONNX file, by name; those whose bytes lie elsewhere are left out."""
    (graph,) = (value for number, value in _fields(memoryview(path.read_bytes())) if number == 7)
    return dict(_read_tensor(value) for number, value in _fields(graph) if number == 5)


# -- protobuf ----------------------------------------------------------------------------------


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers as two's complement
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _attribute(name: str, value: Attribute) -> bytes:
    head = _field(1, name.encode())
    if isinstance(value, float):
        return head + _varint(2 << 3 | _FIXED32) + np.float32(value).tobytes() + _field(20, 1)
    if isinstance(value, int):
        return head + _field(3, value) + _field(20, 2)
    return head + b"".join(_field(8, one) for one in value) + _field(20, 7)


def _tensor(name: str, value: Array) -> bytes:
    (dtype,) = (number for number, known in DTYPES.items() if known == value.dtype)
    return (
        b"".join(_field(1, side) for side in value.shape)
        + _field(2, dtype)
        + _field(8, name.encode())
        + _field(9, np.ascontiguousarray(value).tobytes())
    )


def _float_value(name: str, shape: Sequence[int | str]) -> bytes:
    sides = b"".join(
        _field(1, _field(1, side) if isinstance(side, int) else _field(2, side.encode()))
        for side in shape
    )
    return _field(1, name.encode()) + _field(2, _field(1, _field(1, 1) + _field(2, sides)))


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """(number, value) of a message's fields: an int, or the bytes of what is longer."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == _VARINT:
            yield key >> 3, varint()
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(key & 7) or varint()
        yield key >> 3, message[at : at + length]
        at += length


def _read_tensor(message: memoryview) -> tuple[str, Array]:
    shape: list[int] = []
    name, dtype, data = "", 1, memoryview(b"")
    for number, value in _fields(message):
        if number == 1:
            shape.append(value)
        elif number == 2:
            dtype = value
        elif number == 8:
            name = bytes(value).decode()
        elif number == 9:
            data = value
    if dtype not in DTYPES or not len(data):
        return name, np.empty(0, np.float32)
    return name, np.frombuffer(data, DTYPES[dtype]).reshape(shape)
