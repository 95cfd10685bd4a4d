"""A caption out of what a detector counted: plain, and never more than was seen.

Nor less: who sees a squirrel from near and people far behind it does not say "several people". So
there is no caption where something fills the picture for which the detector has no sure name, nor
where all that it can name is a speck in it.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence

from catalog.errors import BadInput
from experts.annotate.captions.description import Description
from experts.annotate.detection.kinds import VEHICLE
from experts.base import Frames
from experts.write.language.nouns import indefinite, plural, several

MOST = 4
"""Kinds of object named: more reads like a stock list, and is no longer short."""

COUNTED = 3
"""Instances counted exactly; of more, a tracker may have missed some, and nobody counts them."""

SURE = 0.8
"""Detector's score from which its word for something large is believed, where no vocabulary says
what there is. On the clips of experts/weights.toml and two others, large objects rightly named had
0.82 and more, wrongly named ones (a squirrel as a bear, a rabbit as a cat, then as a bird) at most
0.79."""

LIKELY = 0.6
"""The same for what is small, as for the objects of an edit (`plan.min_score`): below it are a
dancer's surfboard and other things that are not there."""

LARGE = 0.05
"""Share of the picture from which an object is large: the squirrel fills 0.1 of its."""

STEADY = 0.4
"""The detector's mean score over the keyframes from which its word is used at all, vocabulary or
not. On the clips of experts/weights.toml and two others, objects rightly named had 0.42 and more; a
road sign taken for a frisbee had 0.31, a dancer's sleeve taken for a surfboard 0.10."""

LEAST = 0.005
"""Share of the picture that what is named must cover together. People and cars on a street seen
from a roof (clip_pedestrians), whom anybody would name first, cover 0.014."""

LEAST_OF_BESIDE = 0.5
"""Share that what is named must have of the largest thing that moves on its own and has no name.
People beside a scooter's handlebar, over which the picture is taken, have 0.08; a dog at the window
of a car, before a landscape that rushes by, has 1."""

IN_FOCUS = 0.5
"""Least sharpness of what is named over that of the sharpest tenth of the picture: between 0.37 of
the forest behind a squirrel and 0.6 and more of what clips are of (infra/bench/split.toml)."""


class LabelCaptions:
    """The embedded captioner: looks at no frame, since tracking has counted already.

    What it leaves empty is written from the clip's tracks (`caption`), as where another captioner's
    description has no short caption.
    """

    name = "labels"
    version = "1"
    frames = 0

    def load(self) -> None:
        """Nothing to do: it has no weights."""

    def close(self) -> None:
        """Nothing to free."""

    def describe(self, clips: Sequence[Frames]) -> list[Description | BadInput]:
        return [Description() for _ in clips]


def surely_named(
    label: str,
    score: float,
    mean_score: float | None,
    share: float,
    vocabulary: Collection[str] | None,
) -> bool:
    """Whether an object may be named that covers `share` (0-1) of the picture; `score` is the
    detector's best and `mean_score` its mean over the keyframes, where that is known.

    A vocabulary lists what the footage is known to show: of its labels a score need only be steady,
    and nothing else is named. "Vehicle" is what a doubtful bus is called, and in doubt enough.
    """
    if (score if mean_score is None else mean_score) < STEADY:
        return False
    if vocabulary is not None:
        return label in vocabulary
    return score >= (LIKELY if share < LARGE or label == VEHICLE else SURE)


def tells_the_scene(named: float, unnamed: float) -> bool:
    """Whether what is named makes a caption: it covers `named` of the picture (0-1, the mean over
    the clip), and the largest thing without a sure name `unnamed`."""
    return named >= LEAST and named >= unnamed


def is_the_subject(named: float, beside: float, focus: float) -> bool:
    """Whether what covers `named` of the picture is what it is of, where something that no track
    follows covers `beside` of it, and its edges are `focus` times as sharp as the sharpest."""
    return named >= LEAST_OF_BESIDE * beside and focus >= IN_FOCUS


def caption(counts: Mapping[str, int], more: Container[str] = ()) -> str:
    """`{"person": 2, "bus": 1}` → `two people and a bus`; empty for no object.

    Counts are of instances seen at once; labels in `more` have others that come or go, or that
    may be there, so that nobody would give a number, nor "several": there may be two. The most
    numerous kinds come first, ties in the alphabet's order, so that equal detections make equal
    captions.
    """
    seen = sorted((-count, label) for label, count in counts.items() if count > 0)[:MOST]
    phrases = [_phrase(label, -negative, label in more) for negative, label in seen]
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _phrase(label: str, count: int, more: bool) -> str:
    if count > COUNTED:
        return several(label)
    return plural(label) if more else indefinite(label, count)
