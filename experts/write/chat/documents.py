"""The bytes that a server answered: the JSON in them, and its own words where it says no."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_QUOTED = 300
"""Characters of the server's own words in an error."""


def parsed(data: bytes) -> Any:
    """The JSON in `data`, None where there is none. A server that cuts a text within a character
    sends bytes that are no UTF-8; they cost that character and not the answer."""
    try:
        return json.loads(data.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


def kind(document: Any, data: bytes) -> str:
    """What an answer is that is no JSON object."""
    if document is not None:
        return f"a {type(document).__name__}"
    if not data.strip():
        return "nothing"
    if is_page(data):
        title = _title(data)
        return f"a web page ({title})" if title else "a web page"
    return "text that is broken or no JSON"


def error_status(document: Any) -> int | None:
    """The status of an error that comes with HTTP's 200; None where the answer is no error, 200
    where it does not say which."""
    if not isinstance(document, dict):
        return None
    fault = document.get("error")
    if not fault and document.get("object") != "error":
        return None
    code = (fault if isinstance(fault, dict) else document).get("code")
    return code if isinstance(code, int) and 400 <= code < 600 else 200


def words(document: Any, data: bytes) -> str:
    """What an answer says went wrong, wherever servers put it; its code before it, if it has one"""
    fault = document.get("error", document) if isinstance(document, dict) else document
    if isinstance(fault, dict):
        said = next((fault[k] for k in ("message", "detail", "error", "msg") if fault.get(k)), "")
        code = next((c for c in map(fault.get, ("code", "type")) if isinstance(c, str)), "")
        said = said if isinstance(said, str) else json.dumps(said)
        return ": ".join(part for part in (code, said) if part)
    if fault is not None:
        return fault if isinstance(fault, str) else json.dumps(fault)
    return _title(data) if is_page(data) else data[: 4 * MOST_QUOTED].decode("utf-8", "replace")


def is_page(data: bytes) -> bool:
    return data.lstrip()[:1] == b"<"


def _title(data: bytes) -> str:
    found = re.search(rb"<title[^>]*>([^<]*)", data[: 1 << 16], re.IGNORECASE)
    return found[1].decode("utf-8", "replace").strip() if found else ""
