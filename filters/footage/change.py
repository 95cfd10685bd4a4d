"""What changes from one sampled frame to the next: stillness, and slide shows.

A picture is *held* while nothing changes, from frame to frame and against the first frame of the
hold, so that slow motion adds up and ends it. A slide show is footage made of holds, of more than
one picture, with short transitions between them, hard or faded. Stills that are zoomed or panned
are taken for motion: nothing tells them from a drone's view of a far landscape.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2

from filters.footage.sampled import Gray, SampledFrame

CHANGED_LEVELS = 6
"""Of 255: a pixel of the small picture that differs more has changed. A key frame of a still
picture, at ordinary rates, moves it by 2 to 4."""

DRIFT_LEVELS = 20
"""The same against the first frame of a hold: codecs refine a still picture for some seconds, by 9
levels at 480 px and up to 18 in a picture of 193 px."""

HELD_CHANGE = 0.0005
"""Share of pixels that may change while a picture is held: 7 of 160×90, less than somebody who
walks in the distance."""

SLIDE_SECONDS = 1.0
"""Least time that a slide is held, as far as samples show it; people and animals don't freeze for
so long at every pixel, again and again."""

TRANSITION_SECONDS = 2.5
"""Longest time between two slides that still belongs to them."""

OTHER_PICTURE = 0.4
"""Share of pixels that differ between two slides, by OTHER_LEVELS of 255; a page that changes in
part (a screen, a talk's bullet points) is the same one."""

OTHER_LEVELS = 12


class Slides(NamedTuple):
    """What was held so far: how many different pictures, for how long, and the last of them."""

    pictures: int = 0
    seconds: float = 0.0
    last: Gray | None = None
    end: float = 0.0

    def after(self, held: SampledFrame, end: float) -> Slides:
        """With one more hold, which began with `held` and lasted until `end`."""
        if end - held.time_s < SLIDE_SECONDS:
            return self
        seconds = self.seconds + end - held.time_s
        if self.last is None:
            return Slides(1, seconds, held.small, end)
        if held.time_s - self.end <= TRANSITION_SECONDS:
            seconds += held.time_s - self.end
        other = changed(held.small, self.last, OTHER_LEVELS) > OTHER_PICTURE
        return Slides(self.pictures + other, seconds, held.small, end)


class ChangeMeasure:
    """Holds and motion, with three pictures kept: the last, and those of two holds."""

    def __init__(self) -> None:
        self._first: SampledFrame | None = None
        self._previous: SampledFrame | None = None
        self._held: SampledFrame | None = None  # the first frame of what is held now
        self._slides = Slides()
        self._steps = 0
        self._static = 0
        self._cuts = 0
        self._motion = 0.0

    def add(self, one: SampledFrame) -> None:
        if self._previous is None or self._held is None:
            self._first = self._previous = self._held = one
            return
        change = changed(one.small, self._previous.small, CHANGED_LEVELS)
        drift = changed(one.small, self._held.small, DRIFT_LEVELS)
        self._steps += 1
        self._motion += change
        self._cuts += changed(one.small, self._previous.small, OTHER_LEVELS) > OTHER_PICTURE
        if max(change, drift) <= HELD_CHANGE:
            self._static += 1
        else:
            self._slides = self._slides.after(self._held, self._previous.time_s)
            self._held = one
        self._previous = one

    def measures(self) -> dict[str, float]:
        """`static_share`: of the steps, those without any change; `motion`: mean share of pixels
        that change in a step; `cut_share`: of the steps, those in which most pixels do; `slides`:
        how many different pictures were held; `slide_share`: of the time, with transitions."""
        if self._first is None or self._previous is None or self._held is None or not self._steps:
            return {}
        slides = self._slides.after(self._held, self._previous.time_s)
        seconds = self._previous.time_s - self._first.time_s
        return {
            "static_share": self._static / self._steps,
            "motion": self._motion / self._steps,
            "cut_share": self._cuts / self._steps,
            "slides": float(slides.pictures),
            "slide_share": min(1.0, slides.seconds / seconds),
        }


def changed(a: Gray, b: Gray, levels: int) -> float:
    """Share of the pixels whose luma differs by more than `levels`, 0–1."""
    return (
        cv2.countNonZero(cv2.threshold(cv2.absdiff(a, b), levels, 255, cv2.THRESH_BINARY)[1])
        / a.size
    )
