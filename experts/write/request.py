"""What an instruction must say: the request, and the phrases that follow from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from catalog.records import Clip, Plan, Track
from experts.write.language.nouns import THEIRS, definite, head, indefinite, names
from experts.write.travel import scene_places

_FRAMING = re.compile(
    r"^(?:(?:it's|it is|make it|make them|turn it into|turn them into|in|the style of"
    r"|drawn|painted|rendered|shown|as|like|that looks) )+",
    re.IGNORECASE,
)
_DEPICTED = r"(an? .+) of (?:(?:an?|the|some) )?"
_THING = re.compile(r"(?:an?|the) |.*\b(?:art|with)\b")
_PICTURE = re.compile(
    r"\b(?:painting|drawing|sketch|engraving|print|woodcut|mosaic|poster|cartoon|comic|illustration"
    r"|watercolou?r|art|pattern|etching|collage|fresco)\b"
)
_COLOUR = re.compile(
    r"(?:(?:dark|light|pale|bright|deep) )?(?:red|orange|yellow|green|turquoise|blue|purple|pink"
    r"|brown|white|gr[ae]y|black|beige|ivory|cream|golden?|silver|violet|teal|maroon)"
)


Motion = Literal["moving", "still", ""]
"""Of an object against what surrounds it, over the frames of the edit; empty: not known."""


GOES, STAYS = 0.08, 0.02
"""Picture widths of travel: what goes so far plainly moves (experts.local_edits.captions), and a
parked car's box jitters by less than the other."""

VEHICLES = frozenset(("car", "bus", "truck", "vehicle", "motorcycle", "bicycle", "train", "boat"))
"""What does not move unless it goes somewhere."""


SIDES = ("top", "bottom", "left", "right")
WIDTHS = frozenset(("left", "right"))
"""The sides by which a picture grows wider."""


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One instruction to be written.

    `label` is the referring expression of the edited object ("car on the left", "" for tasks
    without one), `count` how many of them are edited, `other` the one object it takes the place of
    in a swap ("truck on the left"), `prompt` describes the edited content ("a bronze car",
    "watercolor style"), `caption` the footage ("two people and a bus"), `kind` what the prompt
    calls the object where that is less than `label` ("car"), `motion` how the edited object moves,
    `sides` where an outpainting adds to the picture ("top", "left"), as far as both are known. Two
    requests that are equal get equal instructions.
    """

    task: str
    label: str = ""
    prompt: str = ""
    caption: str = ""
    count: int = 1
    seed: int = 0
    other: str = ""
    kind: str = ""
    motion: Motion = ""
    sides: tuple[str, ...] = ()

    @property
    def the_other(self) -> str:
        """`the truck on the left`."""
        return definite(self.other)

    @property
    def the_object(self) -> str:
        """`the car`, `the cars`."""
        return definite(self.label, self.count)

    @property
    def an_object(self) -> str:
        """`a car`, `two cars`."""
        return indefinite(self.label, self.count)

    @property
    def is_placed(self) -> bool:
        """Whether the label says where the object is or goes: "car on the left"."""
        return self.label.endswith(("left", "right", "ground"))

    @property
    def needs_their(self) -> bool:
        """Whether what the object has is *theirs* and not *its*: several objects', a person's."""
        return self.count > 1 or head(self.label) in THEIRS

    @property
    def style(self) -> str:
        """The prompt without its framing and without the object: `bronze`, `watercolor`.

        It keeps its article where it is a thing of its own: `a watercolor painting`.
        """
        style = _FRAMING.sub("", " ".join(self.prompt.strip(" .").split()))
        kind = self.kind or self.label
        for name in names(kind, 1) + names(kind, 2) if kind else ():
            if depicted := re.fullmatch(rf"{_DEPICTED}{re.escape(name)}", style):
                style = depicted[1]  # "a bronze statue of a dog"
                break
            if bare := re.fullmatch(rf"(?:an?|the)? ?(.*?) ?\b{re.escape(name)}\b ?(.*)", style):
                style = _FRAMING.sub("", " ".join(part for part in bare.groups() if part))
                break
        return re.sub(r" (?:style|look)$", "", style).replace("colour", "color")

    @property
    def style_is_a_thing(self) -> bool:
        """Whether the style is a picture to turn into, not a quality to take on."""
        return bool(_THING.match(self.style))

    @property
    def style_is_a_picture(self) -> bool:
        """Whether that thing is drawn or painted, or the like: nobody redraws a statue."""
        return self.style_is_a_thing and bool(_PICTURE.search(self.style))

    @property
    def style_is_a_colour(self) -> bool:
        """Whether the style is a plain colour: `green`, `dark red`."""
        return bool(_COLOUR.fullmatch(self.style))


_ARTICLE = re.compile(r"(?:An?|The|Some|Several|Two|Three|Many) ")
_IS_DOING = re.compile(r" (?:is|are) (\w+ing)\b")
_VIDEO_WORDS = ("video", "clip", "footage", "scene", "shot")


def video_word(request: WriteRequest) -> str:
    """The word for the footage in this request's instruction: drawn by its seed."""
    return str(np.random.default_rng((request.seed, 0)).choice(_VIDEO_WORDS))


def shows_caption(task: str) -> bool:
    """Whether the task's instruction says what is to be seen: there is a hole, or a drawing."""
    return task in ("inpainting", "outpainting") or task.endswith("_to_video")


def request_for(
    plan: Plan, clip: Clip, track: Track | None = None, info: Mapping[str, Any] | None = None
) -> WriteRequest:
    """The instruction that an edit of a clip needs; `track` is the edited object's, `info` what the
    expert says of the edit."""
    return WriteRequest(
        task=plan.task,
        label=plan.phrase,
        other=_other(plan),
        prompt=plan.target_prompt,
        caption=in_a_sentence(plan.params.get("caption", clip.caption)),
        count=plan.count,
        seed=plan.first_seed,  # so that all attempts at an edit are told alike
        kind=plan.label,
        motion="" if track is None else motion_of(track, clip, plan.first_frame, plan.frames),
        sides=_sides(info or {}) if plan.task == "outpainting" else (),
    )


def in_a_sentence(caption: str) -> str:
    """A caption as it goes on after "showing": without a capital and a stop, and with "a dog is
    running" as "a dog running"."""
    caption = caption.strip().rstrip(".")
    if _ARTICLE.match(caption):
        caption = caption[:1].lower() + caption[1:]
    return _IS_DOING.sub(r" \1", caption)


def _sides(info: Mapping[str, Any]) -> tuple[str, ...]:
    """The sides on which an outpainting has a border, of so many px."""
    return tuple(side for side in SIDES if info.get(side))


def _other(plan: Plan) -> str:
    """What stands in the place of a swap's object: a donor, or what is generated."""
    donor = plan.params.get("donor", {})
    return str(donor.get("phrase") or plan.params.get("replacement_phrase", ""))


def motion_of(
    track: Track,
    clip: Clip,
    first: int,
    frames: int,
    *,
    goes: float = GOES,
    stays: float = STAYS,
) -> Motion:
    """How the object moves against the background in `frames` frames from `first`: "moving" from
    `goes` picture widths between any two of its places, "still" below `stays`; else, or where
    somebody may move without going anywhere, as people and animals do, it is not known."""
    boxes = np.asarray(track.boxes, np.float64).reshape(-1, 4)[first : first + frames]
    camera = np.asarray(clip.camera, np.float64).reshape(-1, 2)[first : first + frames]
    alive = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    if len(camera) != len(boxes) or alive.sum() < 2:
        return ""
    places = scene_places(boxes[alive], camera[alive], clip.width)
    assert places is not None
    travel = float(np.hypot(*(places.max(axis=0) - places.min(axis=0)))) / clip.width
    if travel >= goes:
        return "moving"
    return "still" if travel < stays and track.label in VEHICLES else ""
