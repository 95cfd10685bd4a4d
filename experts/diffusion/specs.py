"""The four experts of Señorita-2M as data: what each stands on, sees, freezes and is told.

The paper gives the conditions and figures; how they enter the network it leaves open in places.
Read here: where an expert has a mask it also sees the masked video (x · (1 − m)), without which it
could not keep what lies outside; and an expert without a first frame sees none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.errors import EditmillError
from experts.diffusion.control import LAYERS

Base = Literal["CogVideoX-2b", "CogVideoX-5b-I2V"]

LATENT = 16
"""Channels of CogVideoX's video latents."""

MASK = 1
"""Channels of a mask at latent size (`conditions.latent_mask`)."""

BASE_CHANNELS: dict[Base, int] = {"CogVideoX-2b": LATENT, "CogVideoX-5b-I2V": 2 * LATENT}
"""Input channels: the image-to-video base takes the first frame's latents beside the noise."""


@dataclass(frozen=True, slots=True)
class ExpertSpec:
    """One expert.

    first_frame: the main branch sees the edited first frame.
    mask: the main branch sees the mask and the masked video.
    control: conditions of the control branch, 16 channels each; empty for no branch.
    negative_channels: the negative prompt goes in beside the prompt, not only through guidance.
    freeze_ffn: feed-forward layers of all blocks but the first stay as the base's.
    prompt, negative: what is said, format strings over `label` and `caption`.
    guidance: classifier-free guidance scale at inference.
    """

    name: str
    base: Base
    first_frame: bool
    mask: bool
    control: tuple[str, ...]
    negative_channels: bool
    freeze_ffn: bool
    prompt: str
    negative: str
    guidance: float
    control_layers: int = LAYERS

    @property
    def extra_channels(self) -> int:
        """Channels of the main branch that its base does not have."""
        frame = LATENT if self.first_frame else 0
        masked = LATENT + MASK if self.mask else 0
        return LATENT + frame + masked - BASE_CHANNELS[self.base]

    @property
    def control_channels(self) -> int:
        """Channels of the control branch's condition."""
        return LATENT * len(self.control)

    def prompts(self, label: str = "", caption: str = "") -> tuple[str, str]:
        """The prompt and the negative prompt of an edit."""
        gaps = {"label": label, "caption": caption}
        return self.prompt.format(**gaps), self.negative.format(**gaps)


STRUCTURE = ("hed", "canny", "depth")
"""The stylizers' control (Appendix B.2, B.3): 48 channels."""

EXPERTS: dict[str, ExpertSpec] = {
    spec.name: spec
    for spec in (
        ExpertSpec(
            "global_stylizer",
            base="CogVideoX-2b",  # the paper says CogVideoX; its other stylizer stands on 2B
            first_frame=True,
            mask=False,
            control=STRUCTURE,
            negative_channels=False,
            freeze_ffn=False,
            prompt="{caption}",
            negative="",
            guidance=6.0,  # the paper says CFG without a figure; the local stylizer's
        ),
        ExpertSpec(
            "local_stylizer",
            base="CogVideoX-2b",
            first_frame=False,
            mask=True,
            control=STRUCTURE,
            negative_channels=False,
            freeze_ffn=True,
            prompt="It's {label}",
            negative="",
            guidance=6.0,
        ),
        ExpertSpec(
            "inpainter",
            base="CogVideoX-5b-I2V",
            first_frame=True,
            mask=True,
            control=("mask",),  # the mask as a video, encoded: the paper's "mask embedding"
            negative_channels=True,
            freeze_ffn=True,
            prompt="{label}",
            negative="",  # what must not appear there; training draws it from other clips
            guidance=6.0,
        ),
        ExpertSpec(
            "remover",
            base="CogVideoX-2b",
            first_frame=False,
            mask=True,
            control=(),
            negative_channels=False,
            freeze_ffn=True,
            prompt="Remove {label}",
            negative="Generate {label}",
            guidance=2.0,
        ),
    )
}


def expert_named(name: str) -> ExpertSpec:
    """The expert of that name; EditmillError naming the known ones if there is none."""
    try:
        return EXPERTS[name]
    except KeyError:
        known = ", ".join(sorted(EXPERTS))
        raise EditmillError(f"expert {name!r} is not known; use one of: {known}") from None
