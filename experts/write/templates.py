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
        "Create realistic footage{shows} that follows the edges",
        "Convert the line drawing into a natural video{shows}",
        "Render the edge map into a full-color video{shows}",
    ),
    "hed_to_video": (
        "Turn the soft edges into a realistic video{shows}",
        "Generate a video{shows} from the HED edge map",
        "Create realistic footage{shows} that follows the soft outlines",
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
        "Create realistic footage{shows} that follows the rough strokes",
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
        "Create realistic footage{shows} that follows the depth",
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

_KEEP: dict[str, tuple[str, ...]] = {
    "object_removal": (
        "fill the place with background that fits, and leave everything else as it is",
        "and keep the rest of the picture, its light and its motion exactly unchanged",
        "rebuilding what lies behind so that the rest of the video stays just the same",
    ),
    "object_addition": (
        "matching the light and the motion, and leave everything else in the video unchanged",
        "so that it belongs there naturally, while the rest of the video stays the same",
        "keeping the background, the camera motion and everything else exactly as they are now",
    ),
    "local_style_transfer": (
        "but keep its shape and its motion, and leave everything around it exactly unchanged",
        "while the background and everything else in the video stay just as they are",
        "following its outline in every frame, and change nothing else in the whole picture",
    ),
    "global_style_transfer": (
        "but keep every object, its shape and its motion recognizable from frame to frame",
        "with the same look in every frame, keeping the layout and the motion unchanged",
        "while the objects, the camera motion and the layout of the scene stay the same",
    ),
    "object_swap": (
        "moving along the same path at the same place, and leave everything else exactly unchanged",
        "so that it fits the light and the motion, while the rest stays the same",
        "in the same place and with the same motion, while everything else stays unchanged",
    ),
    "object_grounding": (
        "painting each instance in a bright color of its own and everything else black",
        "following every instance from frame to frame, and leave everything else in plain black",
        "with one solid color for each instance, while the rest of the picture is black",
    ),
    "inpainting": (
        "so that it blends with its surroundings, and keep all visible parts exactly unchanged",
        "matching the light and motion around it, while everything visible stays as it is",
        "continuing what can be seen around it, and leave the rest of the picture unchanged",
    ),
    "outpainting": (
        "continuing the scene naturally on all sides, and keep the visible part exactly unchanged",
        "matching the light and the motion, while the visible part stays just as it is",
        "so that the new parts blend in, and leave the visible picture completely unchanged",
    ),
    "canny_to_video": (
        "keeping every outline in its place, with natural light, colors and textures in between",
        "with natural colors and light, while all shapes and their motion stay the same",
        "so that every shape and its motion stay in place, and the look is natural",
    ),
    "hed_to_video": (
        "keeping every outline in its place, with natural light, colors and textures in between",
        "with natural colors and light, while all shapes and their motion stay the same",
        "so that every shape and its motion stay in place, and the look is natural",
    ),
    "hed_detection": (
        "showing strong boundaries brightly and weak ones faintly on black, in place and in motion",
        "as white lines on black, and keep every shape and its motion in place",
        "drawing only the outlines, white on black, while shapes and motion stay in place",
    ),
    "fake_scribble_detection": (
        "with only the main shapes in white on black, while all motion stays in place",
        "as thick white strokes on black, and keep every shape and its motion in place",
        "with only a few strokes for each shape, and keep the whole motion unchanged",
    ),
    "fake_scribble_to_video": (
        "keeping every shape in its place, with natural light, colors and textures in between",
        "with natural colors and light, while all shapes and their motion stay the same",
        "so that every shape and its motion stay in place, and the look is natural",
    ),
    "depth_detection": (
        "showing near parts brightly and far parts darkly, and keep every shape in place",
        "with bright tones for what is near, while all shapes and motion stay unchanged",
        "in gray tones that stay steady over time, and keep every shape in place",
    ),
    "depth_to_video": (
        "keeping near and far in their places, with natural light, colors and textures",
        "with natural colors and light, while all shapes and their motion stay the same",
        "so that every shape and its distance stay in place, and the look is natural",
    ),
    "colorization": (
        "with the same colors in every frame, and keep every shape and its motion unchanged",
        "but keep the content, the layout and the motion of the picture as they are",
        "choosing natural tones that stay steady over time, while shapes and motion stay unchanged",
    ),
    "deblur": (
        "bringing back fine edges and textures, and keep colors, content and motion as they are",
        "and take out the noise too, while content, colors and motion stay the same",
        "so that edges and textures can be seen, and leave colors and motion unchanged",
    ),
    "upscaling": (
        "adding fine and steady detail, and keep the content, the colors and the motion unchanged",
        "with sharp edges and clean textures, while the content and the motion stay the same",
        "so that fine textures can be seen, and leave content, colors and motion unchanged",
    ),
}
"""12 to 15 words each: with 3 to 25 of the short form, an enhanced instruction has 15 to 40."""


def templates(request: WriteRequest) -> tuple[str, ...]:
    """The task's templates; a look decides between two sets for the style tasks."""
    if request.task in ("local_style_transfer", "global_style_transfer"):
        if request.look_is_a_thing:
            return _THING
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
    """The short instruction and what stays, in one sentence; the clause is drawn by the seed."""
    clauses = _KEEP[request.task]
    clause = clauses[int(np.random.default_rng((request.seed, 2)).integers(len(clauses)))]
    return f"{text.removesuffix('.')}, {clause}."


def clause_words(task: str) -> frozenset[str]:
    """The words that the task's clauses bring into an enhanced instruction."""
    return frozenset(" ".join(_KEEP[task]).replace(",", "").split())
