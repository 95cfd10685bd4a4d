"""Whether a text says that the edited object moves when it stands still, or the other way round."""

from __future__ import annotations

import re

from experts.write.language.nouns import names
from experts.write.request import WriteRequest

_REST = (
    r"(?:background|camera|scene|view|picture|frame|rest|else|surroundings|footage|video|clip|shot)"
)
"""What else may be said to move or not to: nothing is known of it here."""

_QUITE = r"(?:completely|perfectly|entirely|absolutely|quite|all|just)"
_STAYS = (
    r"(?:(?:stay|remain|keep|stand|sit|lie|hang|hold)(?:s|ing)?|is|are|it|them"
    r"|standing|sitting|lying)"
)
_STILL = re.compile(
    rf"\b(?:{_STAYS}(?: {_QUITE})? still"
    r"|static|motionless|stationary|immobile|unmoving|parked|at rest"
    r"|(?:not|never|without|without ever) (?:mov(?:e|es|ing)|motion))\b"
)
_MOVING = re.compile(
    r"\b(?:mov(?:es?|ing)|driv(?:es?|ing)|walk(?:s|ing)?|run(?:s|ning)|rid(?:es|ing)|fl(?:ies|ying)"
    r"|roll(?:s|ing)|slid(?:es|ing)|swim(?:s|ming)|jump(?:s|ing)|danc(?:es|ing)|drift(?:s|ing)"
    r"|speed(?:s|ing)|pass(?:es|ing) by|in motion)\b"
)
_OF_THE_REST = re.compile(
    rf"\b(?:static|still|stationary|motionless|moving) {_REST}\b"
    rf"|\b{_REST}(?: \w+){{0,2}} (?:{_STILL.pattern}|{_MOVING.pattern})"
)


def contradicts_motion(body: str, request: WriteRequest) -> bool:
    """Whether lower-case words without punctuation say of the edited object what the request's
    `motion` denies. What the referring expression says itself ("car driving to the left") is not
    looked at, nor what is said of the camera and the background."""
    if not request.motion:
        return False
    for noun in (request.label, request.other):
        for phrase in names(noun, 1) + names(noun, 2) if noun else ():
            body = re.sub(rf"\b{re.escape(phrase)}\b", "", body)
    body = _OF_THE_REST.sub("", body)
    if request.motion == "moving":
        return bool(_STILL.search(body))
    return bool(_MOVING.search(_STILL.sub("", body)))
