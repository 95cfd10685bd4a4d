"""Instructions written by people, for when the model wrote none that holds, and what stays.

A template's `{the}`, `{a}`, `{other}`, `{look}`, `{shows}` are filled from the request; `{video}`
varies. Every template passes `checks.check` for every label.
"""

from __future__ import annotations

import numpy as np

from experts.write.checks import normalise
from experts.write.nouns import article
from experts.write.request import WriteRequest, video_word

_QUALITY = (
    "Give {the} {a_look} look",
    "Give {the} {a_look} finish",
    "Repaint {the} in {a_look} style",
    "Render {the} with {a_look} appearance",
    "Restyle {the} with {a_look} look",
)
_QUALITY_OF_ONE = (*_QUALITY, "Make {the} {look}", "Paint {the} {look}", "Make {the} look {look}")
_COLOUR_OF_ONE = (
    "Paint {the} {look}",
    "Make {the} {look}",
    "Change the color of {the} to {look}",
    "Recolor {the} in {look}",
    "Turn {the} {look}",
    "Color {the} {look}",
)
_THING = (
    "Turn {the} into {look}",
    "Make {the} look like {look}",
    "Repaint {the} as {look}",
    "Transform {the} into {look}",
    "Redraw {the} like {look}",
)

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
        "Highlight {the} in distinct colors",
        "Segment {the} throughout the {video}",
        "Locate {the} in this {video}",
        "Mark {the} in every frame",
        "Pick out {the} against a black background",
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
        "Outpaint this {video}{shows} beyond its borders",
        "Extend the {video}{shows} beyond its edges",
        "Expand the frame of the {video}{shows}",
        "Fill in the black borders of the {video}{shows}",
        "Widen the view of the {video}{shows}",
    ),
    "canny_to_video": (
        "Turn the Canny edges into a realistic video{shows}",
        "Generate a video{shows} from the edge map",
        "Create realistic footage{shows}, following the edges",
        "Convert the line drawing into a natural video{shows}",
        "Render the edge map into a full-color video{shows}",
    ),
    "hed_to_video": (
        "Turn the soft edges into a realistic video{shows}",
        "Generate a video{shows} from the HED edge map",
        "Create realistic footage{shows}, following the soft outlines",
        "Convert the HED edges into a natural video{shows}",
        "Render the soft edge map into a full-color video{shows}",
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
        "Generate a video{shows} from the scribble map",
        "Create realistic footage{shows}, following the rough strokes",
        "Convert the scribble drawing into a natural video{shows}",
        "Render the rough scribbles into a full-color video{shows}",
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
        "Generate a video{shows} from the depth map",
        "Create realistic footage{shows}, following the depth",
        "Convert the depth maps into a natural video{shows}",
        "Render the depth map into a full-color video{shows}",
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

_DRAWN_HOW = (
    "with natural light, colors and textures",
    "filling in natural colors and light",
    "with a natural and lifelike look",
    "adding realistic colors and fine textures",
    "so that it looks like real footage",
)
_DRAWN_STAYS = (
    "while all shapes and motion stay the same",
    "and keep every shape and motion in place",
    "but leave every line where it is",
    "keeping each outline just where it is",
)
_MAP_STAYS = (
    "and keep every shape and motion in place",
    "while all shapes and motion stay the same",
    "keeping every line steady from frame to frame",
    "and leave each thing in its place",
)

_HOW: dict[str, tuple[str, ...]] = {
    "object_removal": (
        "filling the place with fitting background",
        "rebuilding what lies behind in every frame",
        "so that no trace remains in sight",
        "with natural background in that place",
        "as if nothing had ever been there",
    ),
    "object_addition": (
        "matching the light and the camera motion",
        "so that it belongs there quite naturally",
        "blending well with light and motion",
        "with natural edges and matching light",
        "at a natural size and place",
    ),
    "local_style_transfer": (
        "following its outline in every frame",
        "with the same look in every frame",
        "with light and shading kept natural",
        "from the first frame to the last",
        "cleanly up to its own edges",
    ),
    "global_style_transfer": (
        "with the same look in every frame",
        "steady from one frame to the next",
        "over the whole picture without any flicker",
        "in every part of the picture",
        "with textures that follow the motion",
    ),
    "object_swap": (
        "moving along the same path as before",
        "in the same place and light",
        "so that it fits light and motion",
        "with the same motion and place",
        "matching the light and the sharpness there",
    ),
    "object_grounding": (
        "painting each instance in one bright color",
        "with one solid color for each instance",
        "following every instance from frame to frame",
        "in flat colors that stay the same",
    ),
    "inpainting": (
        "so that it blends with its surroundings",
        "matching the light and motion around it",
        "continuing what can be seen around it",
        "with details that stay steady over time",
        "without any visible seam or flicker",
    ),
    "outpainting": (
        "continuing the scene naturally on all sides",
        "matching the light and the motion",
        "so that the new parts blend in",
        "with details that stay steady over time",
        "without any visible seam or border",
    ),
    "canny_to_video": _DRAWN_HOW,
    "hed_to_video": _DRAWN_HOW,
    "fake_scribble_to_video": _DRAWN_HOW,
    "depth_to_video": _DRAWN_HOW,
    "hed_detection": (
        "showing strong boundaries brightly on black",
        "as white lines on plain black",
        "drawing only the outlines of things",
        "with weak edges fainter than strong ones",
    ),
    "fake_scribble_detection": (
        "with only the main shapes shown",
        "as thick white strokes on black",
        "with only few strokes for each shape",
        "in simple white lines on black",
    ),
    "depth_detection": (
        "showing near parts brightly, far ones darkly",
        "with bright tones for what is near",
        "in gray tones steady over time",
    ),
    "colorization": (
        "with the same colors in every frame",
        "choosing natural tones that stay steady",
        "in believable tones for every surface",
        "without any color running over edges",
    ),
    "deblur": (
        "bringing back fine edges and textures",
        "and take out the noise too",
        "so that fine textures can be seen",
        "with crisp edges in every frame",
    ),
    "upscaling": (
        "adding fine and steady detail everywhere",
        "with sharp edges and clean textures",
        "so that fine textures can be seen",
        "free of noise and compression marks",
    ),
}
"""What a good edit is like, 6 or 7 words each."""

_STAYS: dict[str, tuple[str, ...]] = {
    "object_removal": (
        "and leave everything else as it is",
        "while the rest of the video stays unchanged",
        "but keep the light and all motion unchanged",
        "and change nothing else in the whole picture",
        "while all other things stay just the same",
    ),
    "object_addition": (
        "and leave everything else in place unchanged",
        "while the rest stays just the same",
        "but keep the background exactly as it is",
        "and change nothing else in the whole picture",
        "while everything already visible stays as it is",
    ),
    "local_style_transfer": (
        "but keep its shape and its motion unchanged",
        "and leave everything around it exactly unchanged",
        "while the background stays just as it is",
        "and change nothing else in the whole picture",
        "while the rest of the video stays unchanged",
    ),
    "global_style_transfer": (
        "but keep every object and its motion recognizable",
        "while objects and camera motion stay the same",
        "keeping the layout and the motion unchanged",
        "and leave the content of the scene unchanged",
        "while all shapes stay where they are now",
    ),
    "object_swap": (
        "and leave everything else exactly as it is",
        "while the rest of the video stays unchanged",
        "and change nothing else in the whole picture",
        "while everything around it stays the same",
        "but keep the background and all else unchanged",
    ),
    "object_grounding": (
        "and leave everything else in plain black",
        "while the rest of the picture is black",
        "and keep all other parts completely black",
        "while nothing else is shown but black",
    ),
    "inpainting": (
        "and keep all visible parts exactly unchanged",
        "while everything visible stays as it is",
        "and leave the rest of the picture unchanged",
        "but change nothing of what is visible",
    ),
    "outpainting": (
        "and keep the visible part exactly unchanged",
        "while the visible part stays as it is",
        "and leave the visible picture completely unchanged",
        "but change nothing of what is visible",
    ),
    "canny_to_video": _DRAWN_STAYS,
    "hed_to_video": _DRAWN_STAYS,
    "fake_scribble_to_video": _DRAWN_STAYS,
    "depth_to_video": (
        "keeping near and far in their places",
        "while all shapes and motion stay the same",
        "and keep each distance and shape in place",
    ),
    "hed_detection": _MAP_STAYS,
    "fake_scribble_detection": _MAP_STAYS,
    "depth_detection": (
        "and keep every shape in its place",
        "while all shapes and motion stay unchanged",
        "with every outline left where it is",
    ),
    "colorization": (
        "and keep every shape and its motion unchanged",
        "but keep content and layout as they are",
        "while shapes and motion stay as they are",
        "and leave everything but the color unchanged",
    ),
    "deblur": (
        "and keep colors and motion as they are",
        "while content, colors and motion stay unchanged",
        "and leave colors and motion exactly unchanged",
        "but change nothing else in the picture",
    ),
    "upscaling": (
        "and keep content, colors and motion unchanged",
        "while the content and motion stay the same",
        "and leave colors and motion exactly unchanged",
        "but change nothing else in the picture",
    ),
}
"""What stays, 6 to 8 words each: with a clause of either and 3 to 25 words of the short form, an
enhanced instruction has 15 to 40."""


def templates(request: WriteRequest) -> tuple[str, ...]:
    """The task's templates; a look decides between two sets for the style tasks."""
    if request.task in ("local_style_transfer", "global_style_transfer"):
        if request.look_is_a_thing:
            return _THING
        if request.look_is_a_colour and request.label:
            return _COLOUR_OF_ONE
        return _QUALITY_OF_ONE if request.task == "local_style_transfer" else _QUALITY
    return _TEMPLATES[request.task]


def all_from_templates(request: WriteRequest) -> list[str]:
    """The task's templates in an order drawn by the request's seed, filled and normalised."""
    options = templates(request)
    order = np.random.default_rng((request.seed, 1)).permutation(len(options))
    return [fill(options[i], request) for i in order]


def fill(template: str, request: WriteRequest) -> str:
    """A template with the request's phrases in its gaps."""
    video = video_word(request)
    shows = f" showing {request.caption}" if request.caption else ""
    return normalise(
        template.format(
            the=request.the_object if request.label else f"the {video}",
            a=request.an_object if request.label else "",
            other=request.the_other,
            look=request.look,
            a_look=f"{article(request.look)} {request.look}",
            shows=shows,
            video=video,
        )
    )


def enhance(text: str, request: WriteRequest) -> str:
    """The short instruction, how well it is to be done and what stays, in one sentence; the clauses
    are drawn by the seed."""
    rng = np.random.default_rng((request.seed, 2))
    how, stays = (
        clauses[int(rng.integers(len(clauses)))]
        for clauses in (_HOW[request.task], _STAYS[request.task])
    )
    return f"{text.removesuffix('.')}, {how}, {stays}."


def clause_words(task: str) -> frozenset[str]:
    """The words that the task's clauses bring into an enhanced instruction."""
    return frozenset(" ".join(_HOW[task] + _STAYS[task]).replace(",", "").split())
