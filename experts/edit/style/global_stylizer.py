"""Repaints a whole clip in one style and keeps the strokes where they are (see `temporal.py`).

The embedded global stylizer: a network that paints single frames, carried through time along the
source's optical flow. It knows the styles of `styles.py` and no others.
"""

from __future__ import annotations

import numpy as np

from catalog.errors import BadInput
from experts.base import EditRequest, EditResult, Frames
from experts.edit.style.painters import NETWORK, Painter
from experts.edit.style.styles import STYLES, Style, global_style, style_named
from experts.edit.style.temporal import Motion, denoise, motion, steady, warp_error
from experts.licences import of_weights
from experts.progress import over
from experts.weights import entry


class GlobalStylizer:
    """`params["style"]` names the style, else the prompt says it, else the seed draws one."""

    name = "global_stylizer"
    slots = (NETWORK,)
    output_licence = of_weights(*slots)
    version = f"1+{entry(NETWORK).sha256[:8]}"

    def __init__(self, threads: int | None = None) -> None:
        self._painter = Painter(threads)

    def load(self) -> None:
        """Opens the style network."""
        self._painter.load()

    def close(self) -> None:
        """Frees it."""
        self._painter.close()

    def edit(self, request: EditRequest) -> EditResult:
        """The frames in the style; :class:`BadInput` (`unknown_style`) for one not known.

        `info`: `style`; `change`, mean absolute difference to the source (levels of 255);
        `warp_error_ratio`, the flicker against the source's own (see `temporal.warp_error`).
        """
        style = _style(request)
        moves = motion(request.frames)
        made = stylize(self._painter, request.frames, style, moves)
        difference = np.abs(made.astype(np.int16) - request.frames).mean()
        return EditResult(
            made,
            info={
                "style": style.name,
                "change": round(float(difference), 2),
                "warp_error_ratio": _flicker_ratio(request.frames, made, moves),
            },
        )


def stylize(painter: Painter, frames: Frames, style: Style, moves: Motion) -> Frames:
    """Frames painted one by one from a denoised source, then stabilized over time; same shape."""
    quiet = denoise(frames, moves)
    painted = np.stack(
        [painter.paint(frame, style) for frame in over(quiet, "painting", len(quiet))]
    )
    return steady(painted, moves)


def _style(request: EditRequest) -> Style:
    if name := request.params.get("style"):
        return style_named(str(name))
    if not request.prompt:
        _, params = global_style(np.random.default_rng(request.seed))
        return style_named(params["style"])
    for style in STYLES:
        if request.prompt in (style.prompt, style.name):
            return style
    known = ", ".join(style.name for style in STYLES)
    raise BadInput(
        "unknown_style", f"no style paints {request.prompt!r}; give the style by name: {known}"
    )


def _flicker_ratio(source: Frames, made: Frames, moves: Motion) -> float | None:
    own = warp_error(source, moves)
    return round(warp_error(made, moves) / own, 3) if own else None
