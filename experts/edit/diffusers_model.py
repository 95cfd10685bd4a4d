"""What editors that are a diffusers pipeline have in common: how it is opened, placed and seeded,
and the sizes it is run at."""

from __future__ import annotations

import json
import threading
from math import sqrt
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from catalog.keys import digest
from experts.licences import EDITMILL, OutputLicence, combined
from experts.providers.bounds import Dtype
from experts.providers.hub_model import AUTO, GIB, HubModel
from experts.providers.pretrained import pretrained


class DiffusersModel(HubModel):
    """A checkpoint in diffusers' layout, opened as its pipeline class `pipeline`.

    `offload`: the pipeline's parts take turns on the GPU, which takes less of its memory and more
    time. `tiling`: the autoencoder works in tiles, which takes less memory and may leave faint
    seams. One call at a time: a scheduler counts its steps.
    """

    pipeline: str

    def __init__(
        self,
        *,
        checkpoint: str = "",
        device: str = AUTO,
        dtype: Dtype = AUTO,
        offload: bool = False,
        tiling: bool = False,
    ) -> None:
        super().__init__(checkpoint=checkpoint, device=device, dtype=dtype)
        self._offload = offload
        self._tiling = tiling
        self._calling = threading.Lock()

    @property
    def version(self) -> str:
        """Of the code, the checkpoint, the library and the options that change a result."""
        options = digest(self._dtype_name, self._tiling, *self._settings())[:8]
        return f"{super().version}+{options}"

    @property
    def device_bytes(self) -> int:
        """Of the GPU's memory that it takes, a call's activations included."""
        if self._offload and self.device != "cpu":
            return round(self.provider.needs.offloaded * GIB)
        return super().device_bytes

    @property
    def output_licence(self) -> OutputLicence | None:
        """Of the checkpoint's output and editmill's code."""
        return combined([EDITMILL, super().output_licence])

    def _settings(self) -> tuple[object, ...]:
        """A subclass's own options that change a result, for `version`."""
        return ()

    def _open(self, folder: Path) -> Any:
        return self._placed(self._pipeline(folder))

    def _pipeline(self, folder: Path, **parts: Any) -> Any:
        """The pipeline in `folder`; `parts` replace components of it, None leaves one out."""
        import diffusers
        import transformers

        for library in (diffusers, transformers):
            library.utils.logging.disable_progress_bar()
        return getattr(diffusers, self.pipeline).from_pretrained(
            folder,
            dtype=self._dtypes(),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **{**self._text_encoders(folder), **parts},
        )

    def _text_encoders(self, folder: Path) -> dict[str, Any]:
        """The pipeline's models of transformers. diffusers would open one that lacks weights."""
        import transformers

        listed = json.loads((folder / "model_index.json").read_text("utf-8"))
        kinds = {
            name: getattr(transformers, entry[1])
            for name, entry in listed.items()
            if isinstance(entry, list) and entry[0] == "transformers"
        }
        dtypes = self._dtypes()
        by_name = dtypes if isinstance(dtypes, dict) else {"default": dtypes}
        return {
            name: pretrained(kind, folder / name, dtype=by_name.get(name, by_name["default"]))
            for name, kind in kinds.items()
            if issubclass(kind, transformers.PreTrainedModel) and name != "safety_checker"
        }

    def _dtypes(self) -> Any:
        """The torch.dtype of all components, or one per component."""
        return self.dtype

    def _placed(self, pipe: Any) -> Any:
        pipe.set_progress_bar_config(disable=True)
        if self._tiling:
            pipe.vae.enable_tiling()
        if self._offload and self.device != "cpu":
            pipe.enable_model_cpu_offload(device=self.device)
        else:
            pipe.to(self.device)
        return pipe

    @staticmethod
    def _generator(seed: int) -> Any:
        """On the processor, so that a seed means the same noise on any device."""
        import torch

        return torch.Generator("cpu").manual_seed(seed)


def working_size(
    height: int, width: int, multiple: int, max_pixels: int, least: int = 1
) -> tuple[int, int]:
    """(height, width) nearest to the given one with both sides multiples of `multiple` and no more
    than `max_pixels` px, unless a single multiple is more. Not enlarged, but to the next multiple
    and until both sides have `least` px."""
    scale = max(min(1.0, sqrt(max_pixels / (height * width))), least / min(height, width))
    size = [max(1, int(side * scale / multiple + 0.5)) for side in (height, width)]
    while size[0] * size[1] * multiple**2 > max_pixels and (max(size) - 1) * multiple >= least:
        size[size.index(max(size))] -= 1
    return size[0] * multiple, size[1] * multiple


def resized(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Frames [T, H, W, 3] or [T, H, W] stretched to `size` (height, width), so that every place
    keeps its share of the picture; area average when shrinking, else Lanczos."""
    if frames.shape[1:3] == size:
        return frames
    shrinks = size[0] <= frames.shape[1] and size[1] <= frames.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
    return np.stack([cv2.resize(frame, size[::-1], interpolation=how) for frame in frames]).astype(
        np.uint8
    )


def resized_masks(masks: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Masks [T, H, W] likewise; True wherever any of a pixel's area is, so that nothing of what is
    to be repainted stays."""
    grey = masks.astype(np.uint8) * np.uint8(255)
    return np.asarray(resized(grey, size) > 0)
