"""Encoders and sampler on a whole tiny checkpoint, written by diffusers in its own layout."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXDPMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
)
from safetensors.torch import load_file
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from catalog.errors import EditmillError
from experts.diffusion.conditioning.conditions import Conditions
from experts.diffusion.conditioning.text import TextEncoder
from experts.diffusion.conditioning.vae import decode, encode, open_vae
from experts.diffusion.model.checkpoint import open_base
from experts.diffusion.model.editor import VideoEditor
from experts.diffusion.sampling.sampler import Prompts, sample
from experts.diffusion.sampling.schedule import scheduler
from experts.diffusion.specs import EXPERTS, ExpertSpec
from experts.diffusion.training.data.encoders import CheckpointEncoders


def _autoencoder(**changes: Any) -> AutoencoderKLCogVideoX:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "block_out_channels": (4, 4, 4, 4),
        "layers_per_block": 1,
        "norm_num_groups": 2,
        "sample_height": 480,
        "sample_width": 720,
    }
    return AutoencoderKLCogVideoX(**sizes | changes)


@pytest.fixture(scope="module")
def checkpoint(base, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    model = io.BytesIO()
    words = [f"remove the {thing} from scene {k}" for thing in ("dog", "cat") for k in range(40)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(words), model_writer=model, vocab_size=40, hard_vocab_limit=False,
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    (folder / "spiece.model").write_bytes(model.getvalue())
    tokenizer = T5Tokenizer.from_pretrained(folder)
    t5 = T5Config(d_model=12, d_ff=16, d_kv=4, num_heads=2, num_layers=2, vocab_size=200)
    CogVideoXPipeline(
        tokenizer=tokenizer,
        text_encoder=T5EncoderModel(t5),
        vae=_autoencoder(),
        transformer=base("2B", max_text_seq_length=8),
        scheduler=CogVideoXDDIMScheduler.from_config(scheduler("CogVideoX-2b").config),
    ).save_pretrained(folder / "model")
    return folder / "model"


def test_latents_have_the_papers_shape_and_are_scaled(checkpoint: Path):
    vae = open_vae(checkpoint, torch.float32)
    frames = torch.randint(0, 256, (2, 9, 48, 64, 3), dtype=torch.uint8)
    latents = encode(vae, frames)
    assert latents.shape == (2, 3, 16, 6, 8) and latents.dtype == torch.float32
    assert torch.equal(latents, encode(vae, frames))  # the mode: nothing is drawn
    first = frames[:, :1]
    assert torch.equal(encode(vae, first, as_image=True), encode(vae, first))
    vae.register_to_config(invert_scale_latents=True)
    ratio = encode(vae, first) / encode(vae, first, as_image=True)
    assert torch.allclose(ratio, torch.full_like(ratio, vae.config.scaling_factor**2), rtol=1e-4)
    assert decode(vae, latents).shape == frames.shape


def test_prompts_are_padded_and_cut_to_length(checkpoint: Path):
    text = TextEncoder(checkpoint, torch.float32, length=8)
    embeddings = text.encode(["remove the dog", "remove " * 50, ""])
    assert embeddings.shape == (3, 8, 12)
    assert torch.equal(embeddings[0], text.encode(["remove the dog"])[0])
    assert not torch.equal(embeddings[0], embeddings[2])


def test_encoders_know_what_they_are(checkpoint: Path):
    one = CheckpointEncoders(checkpoint, dtype=torch.float32, length=8)
    assert one.key == CheckpointEncoders(checkpoint, dtype=torch.float32, length=8).key
    assert one.key != CheckpointEncoders(checkpoint, dtype=torch.bfloat16, length=8).key
    assert one.video(torch.zeros(1, 1, 16, 16, 3, dtype=torch.uint8)).shape == (1, 1, 16, 2, 2)
    assert one.text(["a"]).shape == (1, 8, 12)


def test_missing_parts_are_told(tmp_path: Path):
    with pytest.raises(EditmillError, match="no autoencoder there"):
        open_vae(tmp_path)
    with pytest.raises(EditmillError, match="tokenizer: not there"):
        TextEncoder(tmp_path)


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, ("raise SystemExit('code in a checkpoint was run')",)


@pytest.mark.parametrize(
    ("part", "weights"),
    [
        ("text_encoder", "pytorch_model.bin"),
        ("vae", "diffusion_pytorch_model.bin"),
        ("transformer", "diffusion_pytorch_model.bin"),
    ],
)
def test_weights_that_are_a_pickle_are_refused(
    checkpoint: Path, tmp_path: Path, part: str, weights: str
):
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder)
    for path in (folder / part).glob("*.safetensors"):
        path.unlink()
    open_ = {"text_encoder": TextEncoder, "vae": open_vae, "transformer": open_base}[part]
    for held in (
        {"state_dict": Trap()},
        load_file(next((checkpoint / part).glob("*.safetensors"))),
    ):
        torch.save(held, folder / part / weights)  # harmless weights are no better as a pickle
        with pytest.raises(EditmillError, match="safetensors") as caught:
            open_(folder)
        assert "\n" not in str(caught.value)


def test_a_shard_elsewhere_is_refused(checkpoint: Path, tmp_path: Path):
    folder = tmp_path / "transformer"
    shutil.copytree(checkpoint / "transformer", folder)
    weights = folder / "diffusion_pytorch_model.safetensors"
    weights.rename(tmp_path / "elsewhere.safetensors")
    index = {"metadata": {}, "weight_map": {"proj_out.weight": "../elsewhere.safetensors"}}
    (folder / f"{weights.name}.index.json").write_text(json.dumps(index))
    with pytest.raises(EditmillError, match="names a file elsewhere"):
        open_base(folder)


NOTHING = ExpertSpec(
    "nothing", base="CogVideoX-2b", first_frame=False, mask=False, control=(),
    negative_channels=False, freeze_ffn=False, prompt="", negative="", guidance_scale=6.0,
)  # fmt: skip
"""An expert without conditions: untrained, it is the base."""


@pytest.mark.parametrize("solver", ["ddim", "dpm++"])
def test_sampler_is_diffusers_pipeline_where_nothing_is_added(checkpoint: Path, solver: str):
    pipe = CogVideoXPipeline.from_pretrained(checkpoint, local_files_only=True)
    kind = CogVideoXDDIMScheduler if solver == "ddim" else CogVideoXDPMScheduler
    pipe.scheduler = kind.from_config(pipe.scheduler.config)
    pipe.set_progress_bar_config(disable=True)
    prompt, negative = torch.randn(1, 8, 12), torch.randn(1, 8, 12)
    expected = pipe(
        prompt_embeds=prompt, negative_prompt_embeds=negative, height=48, width=64, num_frames=9,
        num_inference_steps=4, guidance_scale=3.0, generator=torch.Generator().manual_seed(5),
        output_type="latent", max_sequence_length=8,
    ).frames  # fmt: skip
    got = sample(
        VideoEditor.from_base(open_base(checkpoint)),
        NOTHING,
        scheduler("CogVideoX-2b", solver, checkpoint),
        Conditions(),
        Prompts(prompt, negative),
        size=(3, 6, 8),
        seeds=[5],
        steps=4,
        guidance_scale=3.0,
    )
    assert torch.allclose(got, expected, atol=1e-5)


def test_image_to_video_sampling_is_diffusers_too(base, checkpoint: Path):
    plain = CogVideoXPipeline.from_pretrained(checkpoint, local_files_only=True)
    model = base("5B-I2V", max_text_seq_length=8)
    schedule = scheduler("CogVideoX-5b-I2V")
    pipe = CogVideoXImageToVideoPipeline(
        plain.tokenizer, plain.text_encoder, plain.vae, model, schedule
    )
    pipe.set_progress_bar_config(disable=True)
    prompt, negative = torch.randn(1, 8, 12), torch.randn(1, 8, 12)
    noise = torch.randn((3, 16, 6, 8), generator=torch.Generator().manual_seed(5))[None]
    image = torch.rand(1, 3, 48, 64)
    expected = pipe(
        image=image, prompt_embeds=prompt, negative_prompt_embeds=negative, height=48, width=64,
        num_frames=9, num_inference_steps=3, guidance_scale=3.0, latents=noise,
        generator=torch.Generator().manual_seed(0), output_type="latent", max_sequence_length=8,
    ).frames  # fmt: skip
    pixels = pipe.video_processor.preprocess(image, height=48, width=64)[:, :, None]
    draw = plain.vae.encode(pixels).latent_dist.sample(torch.Generator().manual_seed(0))
    first = draw.permute(0, 2, 1, 3, 4) * plain.vae.config.scaling_factor
    got = sample(
        VideoEditor.from_base(model),
        replace(NOTHING, base="CogVideoX-5b-I2V", first_frame=True),
        schedule,
        Conditions(first_frame=first.detach()),
        Prompts(prompt, negative),
        size=(3, 6, 8),
        seeds=[5],
        steps=3,
        guidance_scale=3.0,
    )
    assert torch.allclose(got, expected, atol=1e-4)


def test_a_row_is_the_same_in_any_batch(base):
    torch.manual_seed(0)
    editor = VideoEditor.from_base(base("2B"), extra_channels=17)
    editor.extra_proj.weight.data.normal_(std=0.1)
    masked, mask = torch.randn(2, 3, 16, 6, 8), torch.rand(2, 3, 1, 6, 8)
    prompts = torch.randn(2, 5, 12), torch.randn(2, 5, 12)

    def run(rows: list[int]) -> torch.Tensor:
        return sample(
            editor,
            EXPERTS["remover"],
            scheduler("CogVideoX-2b", "dpm++"),
            Conditions(masked=masked[rows], mask=mask[rows]),
            Prompts(prompts[0][rows], prompts[1][rows]),
            size=(3, 6, 8),
            seeds=[10 + k for k in rows],
            steps=3,
        )

    assert torch.allclose(run([0, 1])[1:], run([1]), atol=1e-4)
