"""Opening CogVideoX checkpoints and trained experts from disk; nothing is fetched from anywhere.

A base is a folder in diffusers' layout, the whole pipeline or its `transformer/` alone. An expert
is a folder of safetensors with `config.json` and `scheduler/`; one with LoRA layers holds only
these and its patch embedding, a hundredth of the weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import CogVideoXTransformer3DModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from catalog.errors import EditmillError
from experts.diffusion.model.editor import VideoEditor

WEIGHTS = "diffusion_pytorch_model.safetensors"
INDEX = WEIGHTS + ".index.json"

ADAPTER = "adapter.safetensors"
BASE_WEIGHT = "proj_out.weight"
"""A frozen weight of the base, stored with the adapter to recognize the base it belongs to."""

BASES = "CogVideoX-2b, CogVideoX-5b or CogVideoX-5b-I2V"


def open_base(
    folder: str | Path, dtype: torch.dtype = torch.float32
) -> CogVideoXTransformer3DModel:
    """The transformer of a CogVideoX checkpoint, on the CPU.

    Raises EditmillError where it is missing, incomplete or of another architecture.
    """
    path = _transformer(Path(folder))
    config = _config(path)
    kind = config.get("_class_name")
    if kind != CogVideoXTransformer3DModel.__name__:
        raise EditmillError(f"{path}: holds a {kind or 'model without a name'}; name {BASES}")
    if config.get("patch_size_t") is not None:
        raise EditmillError(f"{path}: is CogVideoX 1.5, which no expert is built on; name {BASES}")
    _check_shards(path)
    model: CogVideoXTransformer3DModel = _load(CogVideoXTransformer3DModel, path, dtype)
    return model


def open_expert(
    folder: str | Path, dtype: torch.dtype = torch.float32, base: str | Path | None = None
) -> VideoEditor:
    """A trained expert, on the CPU; raises EditmillError as `open_base` does.

    `base` is the checkpoint it was trained on, which an expert with LoRA layers needs.
    """
    path = Path(folder)
    kind = _config(path).get("_class_name")
    if kind != VideoEditor.__name__:
        raise EditmillError(
            f"{path}: holds a {kind or 'model without a name'}, no trained expert; "
            "name a folder that training wrote"
        )
    if (path / ADAPTER).is_file():
        return _adapted(path, dtype, base)
    _check_shards(path)
    model: VideoEditor = _load(VideoEditor, path, dtype)
    return model


def save_adapter(
    editor: VideoEditor, weights: Mapping[str, Tensor], folder: Path, dtype: torch.dtype
) -> None:
    """Write the adapter's parameters, from the state dict `weights`, for `open_expert`."""
    editor.save_config(folder)
    kept = {
        name: weights[name].to("cpu", dtype).contiguous() for name in editor.adapter_parameters()
    }
    save_file(kept | {BASE_WEIGHT: weights[BASE_WEIGHT].cpu().contiguous()}, folder / ADAPTER)


def _adapted(path: Path, dtype: torch.dtype, base: str | Path | None) -> VideoEditor:
    if base is None:
        raise EditmillError(f"{path}: holds an adapter alone; name its base, too")
    config = _config(path)
    added = ("extra_channels", "control_channels", "control_layers", "negative_prompt", "lora_rank")
    try:
        weights = load_file(path / ADAPTER)
    except (OSError, SafetensorError) as error:
        raise EditmillError(f"{path / ADAPTER}: can't be read ({error}); copy it again") from None
    editor = VideoEditor.from_base(open_base(base, dtype), **{name: config[name] for name in added})
    base_weight, present = weights.pop(BASE_WEIGHT, None), editor.state_dict()
    if weights.keys() != editor.adapter_parameters().keys() or base_weight is None:
        raise EditmillError(f"{path}: weights and config.json don't belong together; copy it again")
    if base_weight.shape != present[BASE_WEIGHT].shape or not torch.equal(
        base_weight.to(dtype), present[BASE_WEIGHT]
    ):
        raise EditmillError(f"{path}: was trained on another base than {base}; name that one")
    editor.load_state_dict(weights, strict=False)
    return editor.eval()


def _transformer(folder: Path) -> Path:
    inside = folder / "transformer"
    return inside if (inside / "config.json").is_file() else folder


def _config(path: Path) -> dict[str, Any]:
    try:
        values = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except OSError:
        raise EditmillError(f"{path}: no config.json there; name {BASES} on disk") from None
    except ValueError:
        raise EditmillError(f"{path / 'config.json'}: not valid JSON; copy it again") from None
    if not isinstance(values, dict):
        raise EditmillError(f"{path / 'config.json'}: not a configuration; copy it again")
    return values


def _check_shards(path: Path) -> None:
    """diffusers would look for a missing shard on the hub; here it is an error."""
    if not (path / INDEX).is_file():
        if not (path / WEIGHTS).is_file():
            raise EditmillError(f"{path}: {WEIGHTS} is missing; copy the whole folder again")
        return
    try:
        shards = set(json.loads((path / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, KeyError, AttributeError):
        raise EditmillError(f"{path / INDEX}: not a shard index; copy it again") from None
    if strange := sorted(name for name in shards if Path(name).name != name):
        raise EditmillError(f"{path / INDEX}: names a file elsewhere ({strange[0]}); copy it again")
    missing = sorted(name for name in shards if not (path / name).is_file())
    if missing:
        raise EditmillError(
            f"{path}: {len(missing)} of {len(shards)} shards missing, the first is {missing[0]}; "
            "copy the whole folder again"
        )


def _load(kind: Any, path: Path, dtype: torch.dtype) -> Any:
    try:
        model, report = kind.from_pretrained(
            path,
            torch_dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise EditmillError(
            f"{path}: the weights can't be read ({reason}); copy the folder again"
        ) from None
    for what in ("missing_keys", "unexpected_keys"):
        if names := sorted(report[what]):
            raise EditmillError(
                f"{path}: {len(names)} {what.replace('_', ' ')}, the first is {names[0]}: "
                f"weights and config.json don't belong together; copy the folder again"
            )
    return model.eval()
