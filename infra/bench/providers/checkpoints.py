"""Checkpoints of the published sizes with random weights, in the layout that the providers open.

A tiny checkpoint of tests/checkpoints gives the layout: its tokenizer, processor, scheduler and
token ids stay, its networks are replaced by such as the published config.json describes. So texts
are spelt by a small vocabulary, whose ids lie within the real one, and take a few tokens more than
they would; weights are what the classes begin a training with.
"""

from __future__ import annotations

import gc
import importlib
import json
from pathlib import Path
from typing import Any

import torch

from experts.providers.registry import provider
from infra.bench.providers.sizes import OPEN_CLIP, PUBLISHED, Config, Network

GIB = 1 << 30

SHARD = "5GB"
"""Of a file of weights at most, as on the hub."""


def tiny(maker: str, folder: Path) -> Path:
    """The checkpoint that `maker` of tests/checkpoints writes to `folder`."""
    made: Path = importlib.import_module(f"tests.checkpoints.{maker}").make(folder)
    return made


def full(slot: str, name: str, maker: str, folder: Path, device: str) -> Path:
    """That of the published size, its networks built one at a time on `device`."""
    tiny(maker, folder)
    dtype = provider(slot, name).needs.dtype
    if name == "open_clip":
        _open_clip(folder, device, getattr(torch, dtype))
        return folder
    published = PUBLISHED[name]
    for network in published.networks:
        _replace(folder / network.folder, network, device, dtype)
    for path, settings in published.settings.items():
        text = json.loads((folder / path).read_text("utf-8"))
        (folder / path).write_text(json.dumps(_merged(text, settings)), "utf-8")
    if name == "reward_model":
        from safetensors.torch import save_file

        head = torch.randn(3, 2560, dtype=getattr(torch, dtype)) / 50
        save_file({"rm_head.weight": head}, folder / "rm_head.safetensors")
    return folder


def size_of(slot: str, name: str) -> tuple[int, int]:
    """Parameters of the published size, and the bytes that `full` writes; nothing is allocated."""
    dtype = provider(slot, name).needs.dtype
    if name == "open_clip":
        from open_clip.model import CLIP

        with torch.device("meta"):
            count = sum(p.numel() for p in CLIP(**OPEN_CLIP).parameters())
        return count, count * getattr(torch, dtype).itemsize
    if name not in PUBLISHED:
        return 0, 0
    counts = [
        (sum(p.numel() for p in _built(n, {}, "meta", n.dtype or dtype).parameters()), n)
        for n in PUBLISHED[name].networks
    ]
    size = sum(count * getattr(torch, n.dtype or dtype).itemsize for count, n in counts)
    return sum(count for count, _ in counts), size


def _replace(place: Path, network: Network, device: str, dtype: str) -> None:
    """The tiny network in `place` by the published one."""
    old = json.loads((place / "config.json").read_text("utf-8"))
    model = _built(network, old, device, network.dtype or dtype)
    _made_useful(model, network.kind)
    for weights in place.glob("*.safetensors*"):
        weights.unlink()
    settings = place / "generation_config.json"
    if settings.is_file():
        from transformers import GenerationConfig

        model.generation_config = GenerationConfig.from_pretrained(place)
    model.save_pretrained(place, max_shard_size=SHARD)
    del model
    gc.collect()
    if device != "cpu":
        torch.cuda.empty_cache()


def _built(network: Network, tiny_config: Config, device: str, dtype: str) -> Any:
    kind = getattr(importlib.import_module(network.library), network.kind)
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device), torch.random.fork_rng():
            torch.manual_seed(0)
            if network.library == "diffusers":
                model = kind(**network.config)
            else:
                config = _merged(_token_ids(tiny_config), network.config)
                model = kind(kind.config_class(**config))
    finally:
        torch.set_default_dtype(before)
    return model.eval()


@torch.no_grad()
def _made_useful(model: Any, kind: str) -> None:
    """As in the tests' tiny ones: what was found stays visible to its tracker."""
    tracker = getattr(model, "tracker_model", None)
    if kind == "Sam2VideoModel":
        tracker = model
        # One table of positions, saved twice, in every real one
        model.shared_image_embedding.positional_embedding.copy_(
            model.prompt_encoder.shared_embedding.positional_embedding
        )
    if tracker is not None:
        tracker.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(4.0)


def _token_ids(config: Config) -> Config:
    """What of a configuration belongs to its tokenizer."""
    found: Config = {}
    for key, value in config.items():
        if isinstance(value, dict):
            if inner := _token_ids(value):
                found[key] = {"model_type": value["model_type"]} | inner
        elif key.endswith(("token_id", "token_index")):
            found[key] = value
    return found


def _merged(old: Config, new: Config) -> Config:
    """`old` with what `new` says, section by section."""
    both = old.keys() & new.keys()
    inner = {
        key: _merged(old[key], new[key])
        for key in both
        if isinstance(old[key], dict) and isinstance(new[key], dict)
    }
    return old | new | inner


def _open_clip(folder: Path, device: str, dtype: torch.dtype) -> None:
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text("utf-8")) | {"model_cfg": OPEN_CLIP}
    path.write_text(json.dumps(config), "utf-8")
    with torch.device(device):
        weights = CLIP(**OPEN_CLIP).to(dtype).state_dict()
    save_file({k: v.cpu() for k, v in weights.items()}, folder / "open_clip_model.safetensors")
