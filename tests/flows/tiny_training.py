"""A tiny base checkpoint of diffusers' own classes, and a tiny catalog to train from."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)
from transformers import T5Config, T5EncoderModel, T5Tokenizer

import catalog
from catalog import media
from catalog.keys import digest
from catalog.records import Clip, LocalEdit, Pair, Plan, Source, Track
from catalog.releases import Catalog
from experts.diffusion.sampling.schedule import scheduler
from tests.catalog.writers import selected
from tests.experts.diffusion.small_clips import Source as Scene
from tests.parts import by_key

FRAMES, HEIGHT, WIDTH = 14, 48, 64


def write_base(folder: Path, in_channels: int = 16, seed: int = 0, **changes: Any) -> Path:
    """A whole CogVideoX-2b (or, with 32 channels, what is none), some hundred KB large; `changes`
    are to its transformer's configuration."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    words = [f"{verb} disc {k}" for verb in ("Remove", "Generate") for k in range(9)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words), model_writer=model, vocab_size=30, hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(model.getvalue())
    t5 = T5Config(d_model=12, d_ff=16, d_kv=4, num_heads=2, num_layers=1, vocab_size=100)
    config: dict[str, Any] = dict(
        num_attention_heads=2, attention_head_dim=16, in_channels=in_channels, out_channels=16,
        time_embed_dim=8, text_embed_dim=12, num_layers=2, sample_width=6, sample_height=4,
        sample_frames=9, max_text_seq_length=8,
    )  # fmt: skip
    transformer = CogVideoXTransformer3DModel(**config | changes)
    CogVideoXPipeline(
        tokenizer=T5Tokenizer.from_pretrained(folder),
        text_encoder=T5EncoderModel(t5),
        vae=AutoencoderKLCogVideoX(
            block_out_channels=(4, 4, 4, 4), layers_per_block=1, norm_num_groups=2
        ),
        transformer=transformer,
        scheduler=CogVideoXDDIMScheduler.from_config(scheduler("CogVideoX-2b").config),
    ).save_pretrained(folder / "model")
    return folder / "model"


@dataclass(frozen=True)
class Written:
    """The catalog's folder, and an edit of its first clip."""

    root: Path
    plan: Plan


def write_catalog(root: Path, sources: int = 4, objects: bool = True) -> Written:
    """One clip and one track per source: a disc that crosses a gradient."""
    dataset = catalog.open(root, create=True)
    clips, tracks = [], []
    for k in range(sources):
        scene = Scene(k, FRAMES, HEIGHT, WIDTH)
        with dataset.media.writing(".mp4") as video:
            media.write_video(video.path, scene.clip().frames, 25)
        with dataset.media.writing(".mkv") as masks:
            media.write_masks(masks.path, scene.masks(0), 25)
        source = digest("source", k)
        clip = Clip(
            digest("clip", k), source, f"file:{k}", "CC0-1.0", video.ref, 0, FRAMES, 25.0, WIDTH,
            HEIGHT, caption=f"scene {k}",
        )  # fmt: skip
        clips.append(clip)
        area = float(scene.masks(0).mean())
        tracks.append(
            Track(
                digest("track", k), clip.clip_id, f"disc {k}", 0.9, masks.ref, 0, FRAMES - 1,
                [1.0] * FRAMES, area, [0.0] * 4 * FRAMES,
            )
        )  # fmt: skip
        dataset.tables.put(
            "sources",
            by_key(
                [Source(source, str(k), f"file:{k}", "CC0-1.0", WIDTH, HEIGHT, 25, FRAMES, "h264")]
            ),
        )
    dataset.tables.put("clips", by_key(clips))
    if objects:
        dataset.tables.put("tracks", by_key(tracks))
    fields: dict[str, Any] = dict(
        clip_id=clips[0].clip_id, task="object_removal", expert="experts.edit.remover:Remover",
        track_id=tracks[0].track_id, label=tracks[0].label, phrase="disc", count=1,
        prompt="Remove disc 0", negative_prompt="Generate disc 0", target_prompt="", seed=5,
        first_frame=0, frames=12, crop=[0, 0, WIDTH, HEIGHT], width=WIDTH, height=HEIGHT,
    )  # fmt: skip
    return Written(root, Plan(plan_id=digest(fields), **fields))


def release_footage(
    root: str,
    sources: range,
    recipe: dict[str, Any] | None = None,
    size: tuple[int, int] = (64, 96),
) -> Catalog:
    """A clip of each source, a texture that pans, in a new release of `recipe`; the catalog is made
    if absent. The clips are large enough for the filters."""
    made = selected(root)
    clips = []
    for k in sources:
        rng = np.random.default_rng(k)
        wide = rng.integers(40, 215, (size[0] // 4, size[1] // 2, 3), dtype=np.uint8)
        wide = wide.repeat(4, 0).repeat(4, 1)
        frames = np.stack([wide[:, 2 * t : 2 * t + size[1]] for t in range(34)])
        with made.media.writing(".mp4") as video:
            media.write_video(video.path, frames, 25)
        clips.append(
            Clip(digest("clip", k), digest("source", k), f"file:{k}", "CC0-1.0", video.ref, 0, 34,
                 25.0, size[1], size[0])
        )  # fmt: skip
    made.media.flush()
    made.tables.put("clips", by_key(clips))
    made.release(made.next_tag(), json.dumps(recipe) if recipe else made.selection.recipe)
    return made


def write_pairs(root: Path, keep: bool = True) -> None:
    """A pair of each clip of the catalog at `root`: its target shows the clip's negative. One more
    pair is rejected."""
    dataset = catalog.open(root)
    pairs = []
    for clip in dataset.tables.records("clips"):
        assert isinstance(clip, Clip)
        shown = media.read_video(dataset.path(clip.video))
        with dataset.media.writing(".mp4") as video:
            media.write_video(video.path, 255 - shown, 25)
        pairs.append(_pair(clip, video.ref, "Invert it.", keep))
    pairs.append(_pair(clip, clip.video, "Do nothing.", False))
    dataset.tables.put("pairs", by_key(pairs))


def _pair(clip: Clip, target: str, instruction: str, keep: bool) -> Pair:
    size = dict(width=WIDTH, height=HEIGHT, frames=FRAMES, fps=25.0)
    fields: dict[str, Any] = dict(
        clip_id=clip.clip_id, source_id=clip.source_id, task="global_style_transfer", label="",
        instruction=instruction, enhanced_instruction="", instruction_by="template",
        instruction_model="", prompt="", negative_prompt="", target_prompt="", caption="",
        source_video=clip.video, target_video=target, mask="", generated_side="target",
        expert="tiny", expert_version="1", seed=0, params={}, track_id="", first_frame=0,
        **{f"source_{name}": value for name, value in size.items()},
        **{f"target_{name}": value for name, value in size.items()},
        source_uri=clip.uri, licence=clip.licence, keep=keep, reason="" if keep else "subtle",
        quality_score=None, quality_reason="", alignment_score=None, alignment_reason="",
        subtle_score=None, subtle_reason="" if keep else "subtle",
        filter_versions={},
        phrasings=[instruction, "Turn it into its negative."],
    )  # fmt: skip
    return Pair(pair_id=digest(fields), **fields)


def write_local_edits(root: Path) -> None:
    """Records of each clip of the catalog at `root`: its disc drawn, in the video and in its first
    frame, and its disc's place as a deletion."""
    dataset = catalog.open(root)
    masks = {track.clip_id: track for track in dataset.tables.records("tracks")}  # type: ignore[attr-defined]
    edits = []
    for clip in dataset.tables.records("clips"):
        assert isinstance(clip, Clip)
        whole = masks[clip.clip_id].masks  # type: ignore[attr-defined]
        with dataset.media.writing(".mkv") as first:
            media.write_masks(first.path, media.read_masks(dataset.path(whole), count=1), 25)
        for task, frames, mask in (
            ("addition", FRAMES, whole), ("modification", 1, first.ref), ("deletion", FRAMES, whole)
        ):  # fmt: skip
            said = ("disc", "a round disc", "a disc that crosses a gradient, slowly")
            captions = dict(zip(("caption_short", "caption_medium", "caption_long"), said,
                                strict=True))  # fmt: skip
            fields: dict[str, Any] = dict(
                clip_id=clip.clip_id, source_id=clip.source_id,
                subset="image" if frames == 1 else "video", task=task, label="disc",
                video=clip.video, first_frame=0, frames=frames, fps=25.0,
                crop=[0, 0, WIDTH, HEIGHT], width=WIDTH, height=HEIGHT, track_id="",
                mask_kind="exact", grow=0, propagation="track", seed=0, source_uri=clip.uri,
                licence=clip.licence, mask=mask, **captions,
            )  # fmt: skip
            edits.append(LocalEdit(edit_id=digest(fields), **fields))
    dataset.tables.put("local_edits", by_key(edits))
