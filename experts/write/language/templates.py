"""Short instructions written by people, for when the model wrote none that passes the checks.

A template's `{the}`, `{a}`, `{other}`, `{style}`, `{shows}` are filled from the request; `{video}`
varies. What is shown comes last, so that nothing hangs on to it ("two people, following the
edges"). Every template passes `checks.check` for every label.
"""

from __future__ import annotations

import numpy as np

from experts.write.checks import normalise, words_of
from experts.write.language.agreement import disagreements
from experts.write.language.nouns import article
from experts.write.request import WIDTHS, WriteRequest, video_word

_QUALITY = (
    "Give {the} {a_style} look",
    "Give {the} {a_style} finish",
    "Repaint {the} in {a_style} style",
    "Render {the} with {a_style} appearance",
    "Restyle {the} with {a_style} look",
)
_QUALITY_OF_ONE = (
    *_QUALITY,
    "Make {the} {style}",
    "Make {the} look {style}",
)
_COLOUR_OF_ONE = (
    "Paint {the} {style}",
    "Make {the} {style}",
    "Change the color of {the} to {style}",
    "Recolor {the} in {style}",
    "Turn {the} {style}",
    "Color {the} {style}",
)
_THING = (
    "Turn {the} into {style}",
    "Make {the} look like {style}",
    "Transform {the} into {style}",
    "Change {the} into {style}",
)
_PICTURE = (
    *_THING,
    "Repaint {the} as {style}",
    "Render {the} as {style}",
)
_PLACED_ADDITION = (
    "Add {a}",
    "Insert {a}",
    "Place {a}",
    "Include {a}",
    "Make {a} appear",
    "Have {a} appear",
)
"""For what is said to be somewhere, or to go there: "Add a person on the left"."""

_BORDERS = (
    "Extend the borders of the {video}{shows}",
    "Extend the edges of this {video}{shows}",
    "Fill in the black borders of the {video}{shows}",
)
_BORDER = (
    "Extend the {side} edge of the {video}{shows}",
    "Expand the {side} border of this {video}{shows}",
    "Fill in the black border of the {video}{shows}",
)
_WIDER = ("Widen the view of the {video}{shows}",)

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "object_removal": (
        "Remove {the} from the {video}",
        "Erase {the}",
        "Take {the} out of this {video}",
        "Get rid of {the} in the {video}",
        "Edit out {the}",
        "Make {the} disappear from the {video}",
        "Delete {the} and fill in the background",
        "Cut {the} out of the {video}",
    ),
    "object_addition": (
        "Add {a} to the {video}",
        "Put {a} into the {video}",
        "Insert {a} into this {video}",
        "Place {a} in the {video}",
        "Make {a} appear in the {video}",
        "Bring {a} into the {video}",
        "Include {a} in this {video}",
    ),
    "object_swap": (
        "Replace {other} with {a}",
        "Swap {other} for {a}",
        "Change {other} into {a}",
        "Turn {other} into {a}",
        "Swap out {other} for {a}",
        "Put {a} in the place of {other}",
        "Exchange {other} for {a}",
        "Show {a} instead of {other}",
    ),
    "object_grounding": (
        "Detect {the}",
        "Find {the} in the {video}",
        "Highlight {the} in the {video}",
        "Segment {the} throughout the {video}",
        "Locate {the} in this {video}",
        "Mark {the} in every frame",
        "Pick out {the} in this {video}",
    ),
    "inpainting": (
        "Inpaint the missing region of the {video}{shows}",
        "Fill in the masked part of the {video}{shows}",
        "Complete the missing area of the {video}{shows}",
        "Restore the hidden part of this {video}{shows}",
        "Inpaint the moving hole in the {video}{shows}",
        "Reconstruct the blacked-out area of this {video}{shows}",
    ),
    "outpainting": (
        "Outpaint the {video}{shows}",
        "Expand the frame of the {video}{shows}",
    ),
    "canny_to_video": (
        "Turn the Canny edges into a realistic video{shows}",
        "Use the edge map to generate a video{shows}",
        "Follow the edges to create realistic footage{shows}",
        "Convert the line drawing into a natural video{shows}",
        "Render the edge map as a full-color video{shows}",
    ),
    "hed_to_video": (
        "Turn the soft edges into a realistic video{shows}",
        "Use the HED edge map to generate a video{shows}",
        "Follow the soft outlines to create realistic footage{shows}",
        "Convert the HED edges into a natural video{shows}",
        "Render the soft edge map as a full-color video{shows}",
    ),
    "hed_detection": (
        "Detect the HED edges in the {video}",
        "Extract the soft edges from this {video}",
        "Turn the {video} into an HED edge map",
        "Show the soft outlines of the {video}",
        "Trace the object boundaries in every frame",
        "Convert this {video} into soft edges",
    ),
    "fake_scribble_detection": (
        "Turn the {video} into rough scribbles",
        "Draw simple scribbles of this {video}",
        "Extract a scribble map from the {video}",
        "Convert this {video} into a scribble drawing",
        "Show the {video} as a few thick strokes",
        "Reduce the {video} to a rough scribble",
    ),
    "fake_scribble_to_video": (
        "Turn the scribbles into a realistic video{shows}",
        "Use the scribble map to generate a video{shows}",
        "Follow the rough strokes to create realistic footage{shows}",
        "Convert the scribble drawing into a natural video{shows}",
        "Render the rough scribbles as a full-color video{shows}",
    ),
    "depth_detection": (
        "Estimate the depth of the {video}",
        "Turn this {video} into a depth map",
        "Detect the depth in every frame",
        "Convert the {video} into a grayscale depth map",
        "Show the depth of this {video}",
        "Compute a depth map of the {video}",
    ),
    "depth_to_video": (
        "Turn the depth map into a realistic video{shows}",
        "Use the depth map to generate a video{shows}",
        "Follow the depth map to create realistic footage{shows}",
        "Convert the depth maps into a natural video{shows}",
        "Render the depth map as a full-color video{shows}",
    ),
    "colorization": (
        "Colorize the {video}",
        "Colorize this black-and-white {video}",
        "Add natural colors to the {video}",
        "Bring color to this gray {video}",
        "Give the {video} realistic colors",
        "Turn the black-and-white {video} into color",
    ),
    "deblur": (
        "Deblur the {video}",
        "Sharpen this blurry {video}",
        "Remove the blur from the {video}",
        "Make the {video} sharp and clear",
        "Restore the lost details of this blurred {video}",
        "Bring the {video} back into focus",
    ),
    "upscaling": (
        "Upscale the {video}",
        "Increase the resolution of the {video}",
        "Upscale this {video} to a higher resolution",
        "Enlarge this low-resolution {video} with fine detail",
        "Improve the resolution of this {video}",
        "Turn the {video} into a high-resolution version",
    ),
}


def templates(request: WriteRequest) -> tuple[str, ...]:
    """The task's templates; the style decides between two sets for the style tasks, the missing
    sides for outpainting."""
    if request.task in ("local_style_transfer", "global_style_transfer"):
        if request.style_is_a_thing:
            return _PICTURE if request.style_is_a_picture else _THING
        if request.style_is_a_colour and request.label:
            return _COLOUR_OF_ONE
        return _QUALITY_OF_ONE if request.task == "local_style_transfer" else _QUALITY
    if request.task == "object_addition" and request.is_placed:
        return _PLACED_ADDITION
    if request.task == "outpainting":
        borders = _BORDER if len(request.sides) == 1 else _BORDERS
        wider = _WIDER if WIDTHS.intersection(request.sides) else ()
        return (*_TEMPLATES[request.task], *borders, *wider)
    return _TEMPLATES[request.task]


def all_from_templates(request: WriteRequest) -> list[str]:
    """The task's templates in an order drawn by the request's seed, filled and normalised; without
    those that do not go with its phrases ("the car in the foreground in the shot")."""
    options = templates(request)
    order = np.random.default_rng((request.seed, 1)).permutation(len(options))
    texts = [fill(options[i], request) for i in order]
    return [text for text in texts if not any(disagreements(words_of(text)))] or texts


def fill(template: str, request: WriteRequest) -> str:
    """A template with the request's phrases in its gaps."""
    video = video_word(request)
    shows = f" showing {request.caption}" if request.caption else ""
    return normalise(
        template.format(
            the=request.the_object if request.label else f"the {video}",
            a=request.an_object if request.label else "",
            other=request.the_other,
            style=request.style,
            a_style=f"{article(request.style)} {request.style}",
            shows=shows,
            video=video,
            side="".join(request.sides[:1]),
        )
    )
