"""The table of formats: what `editmill export` can write, and what reads it."""

from __future__ import annotations

import difflib

from catalog.errors import EditmillError
from catalog.export.format import Format
from catalog.export.general.hugging_face import HuggingFace
from catalog.export.general.preferences import Preferences
from catalog.export.general.vefx import Vefx
from catalog.export.general.web_dataset import WebDataset
from catalog.export.trainers.ai_toolkit import AiToolkit
from catalog.export.trainers.diffsynth import Ltx2InContext, WanFunControl, WanVace
from catalog.export.trainers.instruct_pix2pix import InstructPix2Pix
from catalog.export.trainers.insvie import InsVie
from catalog.export.trainers.kiwi_edit import KiwiEdit
from catalog.export.trainers.ltx_trainer import LtxTrainer
from catalog.export.trainers.musubi_tuner import MusubiTuner
from catalog.export.trainers.senorita import Senorita
from catalog.export.trainers.videox_fun import VideoXFun
from catalog.export.trainers.vivid import Vivid

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        HuggingFace(),
        WebDataset(),
        Preferences(),
        WanVace(),
        WanFunControl(),
        Ltx2InContext(),
        LtxTrainer(),
        KiwiEdit(),
        VideoXFun(),
        MusubiTuner(),
        AiToolkit(),
        InstructPix2Pix(),
        InsVie(),
        Senorita(),
        Vefx(),
        Vivid(),
    )
}


def format_named(name: str) -> Format:
    """Raises EditmillError, with what there is, for a name that is no format's."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise EditmillError(f"no format is called {name!r}; {meant}there are {', '.join(FORMATS)}")
    return FORMATS[name]
