"""What can be trained, as data: base, conditioning, training records, frozen layers, prompts.

Experts make a dataset and are trained on footage; editors are trained on the dataset, which shows
how good it is. The papers give conditions and figures, but not always how a condition enters the
network. Our reading: an expert with a mask also takes the masked video (x · (1 − m)), without which
it could not keep what lies outside; and a model without a first frame has zeros in its base's
channels for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from catalog.errors import EditmillError
from experts.diffusion.latents import CHANNELS as LATENT
from experts.licences import OutputLicence

Base = Literal["CogVideoX-2b", "CogVideoX-5b", "CogVideoX-5b-I2V"]

Records = Literal["clips", "pairs", "local_edits"]
"""Training records of a catalog: real footage, kept pairs, VIVID-10M's local-editing records."""

CONTROL_LAYERS = 6
"""Blocks of the control branch in Señorita-2M's released editor, each for 7 of the base's 42 blocks
(CogVideoX-2B: for 5 of 30)."""

MASK = 1
"""Channels of a mask at latent size (`conditions.latent_mask`)."""

BASE_CHANNELS: dict[Base, int] = {
    "CogVideoX-2b": LATENT,
    "CogVideoX-5b": LATENT,
    "CogVideoX-5b-I2V": 2 * LATENT,
}
"""Input channels: the image-to-video base takes the first frame's latents besides the noise."""


_COGVIDEOX = OutputLicence(
    "LicenseRef-CogVideoX",
    True,
    "The CogVideoX License: what the model generates is its user's; using the model commercially "
    "takes a registration",
)

BASE_LICENCES: dict[Base, OutputLicence] = {
    "CogVideoX-2b": OutputLicence("Apache-2.0", True, "CogVideoX-2b's model card"),
    "CogVideoX-5b": _COGVIDEOX,
    "CogVideoX-5b-I2V": _COGVIDEOX,
}
"""Of each base's output, and so of the experts trained from it."""


BASE_GIB: dict[Base, float] = {"CogVideoX-2b": 16.0, "CogVideoX-5b": 24.0, "CogVideoX-5b-I2V": 24.0}
"""GiB of a GPU, by base: the transformer and the text encoder (13.3 and 21.8 GB of weights) and a
window of 33 frames; estimates, not measured."""


@dataclass(frozen=True, slots=True)
class ExpertSpec:
    """One expert or editor.

    first_frame: the main branch takes the edited first frame.
    mask: the main branch takes the mask and the masked video.
    source: the main branch takes the video to edit (InstructPix2Pix's concatenation).
    control: conditions of the control branch, 16 channels each; empty for no branch.
    negative_channels: the model takes the negative prompt as an input, besides guidance.
    freeze_ffn: feed-forward layers of all blocks but the first are frozen.
    prompt, negative: format strings over `label` and `caption`; a pair's caption is its
        instruction.
    guidance_scale: of classifier-free guidance at inference.
    learns_from: the kind of the catalog's records it is trained on.
    lora_rank: of LoRA layers, trained in place of the base's weights; 0 trains the weights.
    keyframe: an edited first frame, with an empty mask, can be propagated (KIVE).
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
    guidance_scale: float
    control_layers: int = CONTROL_LAYERS
    source: bool = False
    learns_from: Records = "clips"
    lora_rank: int = 0
    keyframe: bool = False

    @property
    def frame_channels(self) -> bool:
        """Whether the main branch has channels for a first frame, even if they are zero."""
        return self.first_frame or BASE_CHANNELS[self.base] > LATENT

    @property
    def extra_channels(self) -> int:
        """Channels of the main branch that its base does not have."""
        frame = LATENT if self.frame_channels else 0
        masked = LATENT + MASK if self.mask else 0
        source = LATENT if self.source else 0
        return LATENT + frame + masked + source - BASE_CHANNELS[self.base]

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
            base="CogVideoX-2b",  # the paper says CogVideoX; its other stylizer is built on 2B
            first_frame=True,
            mask=False,
            control=STRUCTURE,
            negative_channels=False,
            freeze_ffn=False,
            prompt="{caption}",
            negative="",
            guidance_scale=6.0,  # the paper says CFG without a figure; the local stylizer's
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
            guidance_scale=6.0,
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
            negative="",  # of guidance; the negative channels take another label
            guidance_scale=6.0,
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
            guidance_scale=2.0,
        ),
    )
}


def _senorita(name: str, first_frame: bool, concatenated: bool) -> ExpertSpec:
    """A variant of Señorita-2M's editor (its Table 4), all on the same base.

    The paper names base, conditions, batches, epochs and sizes. It leaves open which weights the
    control variants freeze (none here), what replaces the missing first frame (zeros), and
    guidance and blocks (the released editor's).
    """
    return ExpertSpec(
        name,
        base="CogVideoX-5b-I2V",
        first_frame=first_frame,
        mask=False,
        control=() if concatenated else ("source",),
        negative_channels=False,
        freeze_ffn=False,
        prompt="{caption}",
        negative="",
        guidance_scale=4.0,
        source=concatenated,
        learns_from="pairs",
    )


EDITORS: dict[str, ExpertSpec] = {
    spec.name: spec
    for spec in (
        _senorita("senorita_editor", first_frame=True, concatenated=False),  # FF-Control-Edit
        _senorita("senorita_control_edit", first_frame=False, concatenated=False),
        _senorita("senorita_ff_ins_edit", first_frame=True, concatenated=True),
        _senorita("senorita_ins_edit", first_frame=False, concatenated=True),
        ExpertSpec(
            "vivid_editor",  # VIVID-10M, Sec. 4
            base="CogVideoX-5b",
            first_frame=False,
            mask=True,
            control=(),
            negative_channels=False,
            freeze_ffn=False,
            prompt="{caption}",  # the local caption
            negative="",
            guidance_scale=6.0,  # the paper gives none; CogVideoX's pipelines'
            learns_from="local_edits",
            lora_rank=32,
            keyframe=True,
        ),
    )
}
"""Models that edit by an instruction or a local caption, trained on the dataset."""

TRAINABLE = EXPERTS | EDITORS


def expert_named(name: str) -> ExpertSpec:
    """The expert or editor of that name; EditmillError naming the known ones if there is none."""
    try:
        return TRAINABLE[name]
    except KeyError:
        known = ", ".join([*sorted(EXPERTS), *sorted(EDITORS)])
        raise EditmillError(f"expert {name!r} is not known; use one of: {known}") from None
