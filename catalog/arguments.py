"""What a caller of the Python interface gave, checked where it comes in: something of a wrong type
is told in one line, not by whatever would stumble over it later, or silently take it."""

from __future__ import annotations

import reprlib
from numbers import Integral

from catalog.errors import EditmillError


def expect(given: object, name: str, expected: str, *types: type) -> None:
    """Raises EditmillError, which says that `name` is `expected`, where `given` is none of the
    types."""
    if not isinstance(given, types):
        raise _unexpected(given, name, expected)


def whole_number(given: object, name: str, least: int | None = None) -> int:
    """`given` as an int; numpy's whole numbers are some, True and False are none.

    Raises EditmillError, which says what `name` is, for anything else and for less than `least`.
    """
    if isinstance(given, Integral) and not isinstance(given, bool):
        number = int(given)
        if least is None or number >= least:
            return number
    more = "" if least is None else f", {least} or more"
    raise _unexpected(given, name, f"a whole number{more}")


def _unexpected(given: object, name: str, expected: str) -> EditmillError:
    return EditmillError(f"{name} is {expected}, not {reprlib.repr(given)}")
