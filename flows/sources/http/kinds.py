"""What is certainly no video, told by a file's first bytes.

Servers answer with pages, playlists and messages in a video's place, under any Content-Type. What
is not known here, the decoder judges.
"""

from __future__ import annotations

HEAD = 1024
"""Bytes that are looked at."""

_MAGIC = {
    b"\x89PNG": "a picture",
    b"%PDF": "a document",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
}

_TEXT = {
    "#extm3u": "a playlist (HLS), not a video",
    "<mpd": "a playlist (DASH), not a video",
    "[playlist]": "a playlist, not a video",
    "<!doctype html": "a web page, not a video",
    "<html": "a web page, not a video",
    "{": "a message (JSON), not a video",
    "[": "a message (JSON), not a video",
    "<": "a web page or XML, not a video",
}
"""How texts begin, in lower case and without a byte order mark; the first that fits counts."""


def no_video(head: bytes, content_type: str = "") -> str:
    """What a file with this start is, if certainly no video; else empty."""
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            return f"{what}, not a video"
    if head.startswith(b"\xff\xd8\xff") and content_type.startswith("image/"):
        return "a picture, not a video"  # any other JPEG may be the first of motion JPEG
    text = _text(head)
    if not text:
        return ""
    text = text.lower()
    if "<mpd" in text[:HEAD]:  # below an XML declaration
        return _TEXT["<mpd"]
    for start, what in _TEXT.items():
        if text.startswith(start):
            return what
    return "" if text.startswith("yuv4mpeg2") else "a text, not a video"


def _text(head: bytes) -> str:
    """The head as text, without what blanks it begins with; empty where it is none."""
    try:
        # A character may be cut at the end.
        text = head[:HEAD].decode("utf-8-sig", "strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError:
        return ""
    if len(head) >= HEAD and len(text.encode()) < HEAD - 6:  # more than one character was no UTF-8
        return ""
    if any(c < " " and c not in "\t\n\r\f" for c in text):
        return ""
    return text.lstrip()
