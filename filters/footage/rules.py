"""The recipe's `footage` section: what footage is refused, and why, from its measures."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from catalog.validated import Part

LEAST_SLIDES = 2

LEAST_FLAT = 0.4
"""Share of exactly flat pixels that a recorded screen has at least: 0.51 to 0.73 in the bench."""

NSFW = 0.8
"""Probability from which a frame is not safe for work; open_nsfw's authors take it for certain."""

FACES = 0.2
"""Share of the looked-at frames in which a face is seen; one of six may be a mistake."""


class FootageRules(Part):
    """Each rule may be switched off with null. The defaults stand, where not said otherwise, in the
    gap that infra/bench/footage/run.py found between normal footage and each fault."""

    smallest_side: int | None = Field(default=None, ge=1)  # px; VIVID-10M: 720
    shortest_seconds: float | None = Field(default=None, gt=0)  # VIVID-10M: 5
    black: float | None = Field(default=0.5, gt=0, le=1)  # share of frames
    screen: float | None = Field(default=0.006, gt=0, le=1)  # share of drawn edges on flat ground
    slide_show: float | None = Field(default=0.85, gt=0, le=1)  # share of time in held pictures
    still: float | None = Field(default=0.85, gt=0, le=1)  # share of steps without any change
    text: float | None = Field(default=0.15, gt=0, le=1)  # share of the picture
    watermark: float | None = Field(default=0.003, gt=0, le=1)  # share of the picture
    duplicates: bool = True  # of sources that show the same video, one is used
    nsfw: bool = False
    faces: bool = False


def refusal(
    measures: Mapping[str, float], rules: FootageRules, width: int, height: int, seconds: float
) -> tuple[str, str] | None:
    """Why footage of `width`×`height` px and `seconds` is refused: reason and message; or None.

    The first rule that it breaks counts, in the order of the section. The reason is a machine word,
    the message one line with the figure and the key to change. A measure that is not there (too few
    frames, or its rule was off when the footage was measured) refuses nothing.
    """
    side = min(width, height)
    if rules.smallest_side is not None and side < rules.smallest_side:
        return "too_small", (
            f"{width}x{height} px is less than {rules.smallest_side} on the shorter side; use a "
            "larger rendition, or set footage.smallest_side lower"
        )
    if rules.shortest_seconds is not None and seconds < rules.shortest_seconds:
        return "too_short", (
            f"{seconds:.2f} s is less than {rules.shortest_seconds:g} s; use longer footage, or "
            "set footage.shortest_seconds lower"
        )
    for key, reason, measure, what in _SHARES:
        least = getattr(rules, key)
        found = measures.get(measure)
        if least is None or found is None or found < least or not _also(key, measures):
            continue
        return reason, (
            f"{what.format(_percent(found))}, {_percent(least)} are enough to refuse it; if it is "
            f"good, set footage.{key} higher, or to null"
        )
    if rules.nsfw and measures.get("nsfw", 0.0) >= NSFW:
        return "nsfw", (
            f"a frame is not safe for work with probability {measures['nsfw']:.2f}, {NSFW} is "
            "enough to refuse it; if it is good, set footage.nsfw to false"
        )
    if rules.faces and measures.get("face_share", 0.0) >= FACES:
        return "faces", (
            f"a face is seen in {_percent(measures['face_share'])} of the frames looked at; if "
            "that is wanted, set footage.faces to false"
        )
    return None


_SHARES = (
    ("black", "black", "black_share", "{} of its frames are black"),
    ("screen", "screen_recording", "drawn_area", "{} of its pixels are edges on flat ground, as a "
     "screen's"),
    ("slide_show", "slide_show", "slide_share", "{} of its time shows still pictures in turn"),
    ("still", "still", "static_share", "nothing changes in {} of its steps of half a second"),
    ("text", "text_heavy", "text_area", "text takes {} of the picture"),
    ("watermark", "watermark", "overlay_area", "an overlay takes {} of the picture"),
)  # fmt: skip


def _also(key: str, measures: Mapping[str, float]) -> bool:
    """What a rule asks for beside its threshold."""
    if key == "slide_show":
        return measures.get("slides", 0.0) >= LEAST_SLIDES
    if key == "screen":
        return measures.get("flat_area", 0.0) >= LEAST_FLAT
    return True


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
