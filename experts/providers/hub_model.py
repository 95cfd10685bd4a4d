"""What providers with a checkpoint of the hub have in common: which files, which device, and that
they are opened once and freed."""

from __future__ import annotations

import gc
import threading
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from catalog.errors import EditmillError
from experts.checkpoint import Kind
from experts.licences import OutputLicence
from experts.providers.bounds import Dtype
from experts.providers.registry import Provider, provider
from experts.threads import one_for_torch

AUTO: Final = "auto"

GIB = 1 << 30


class HubModel(ABC):
    """A checkpoint behind a provider's interface. Thread-safe once loaded.

    A subclass sets `slot` and `provider_name`, and opens its models in `_open`. `checkpoint` is a
    folder or `owner/name@<commit>`; empty takes the registry's. `device` is torch's name of one;
    `auto` is the first GPU, or the processor where there is none. `dtype` is torch's name of one;
    `auto` is the registry's on a GPU and float32 on a processor.
    """

    slot: str
    provider_name: str
    algorithm = 1
    """Rises whenever the same weights may give another output."""

    def __init__(self, *, checkpoint: str = "", device: str = AUTO, dtype: Dtype = AUTO) -> None:
        self._named = checkpoint
        self._device_name = device
        self._dtype_name = dtype
        self._models: Any = None
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        return self.provider_name

    @cached_property
    def provider(self) -> Provider:
        """Its entry in the registry."""
        return provider(self.slot, self.provider_name)

    @property
    def checkpoint(self) -> str:
        """The folder or `owner/name@<commit>` it opens. Raises EditmillError where the registry
        knows no commit and none was named."""
        if self._named:
            return self._named
        kept = self.provider.checkpoint
        assert kept is not None
        if not kept.commit:
            raise EditmillError(self.provider.without_commit)
        return f"{kept.repo}@{kept.commit}"

    @property
    def output_licence(self) -> OutputLicence | None:
        """Of what it puts out: the registry's, for the repositories that the registry names. Of
        another checkpoint, or a folder, nobody here knows it, so None."""
        known = self.provider
        own = known.checkpoint is not None and known.is_licensed(self.checkpoint)
        return known.output if own else None

    @property
    def version(self) -> str:
        """Of the code, the checkpoint (its commit, or a folder's content) and its library. Raises
        EditmillError, one line, where the folder or the library is missing; nothing is fetched."""
        return f"{self.algorithm}+{self._kind().version(self.checkpoint)}"

    @property
    def device(self) -> str:
        """torch's name of the device that it runs on."""
        if self._device_name != AUTO:
            return self._device_name
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    @property
    def device_bytes(self) -> int:
        """Of the GPU's memory that it takes, a call's activations included; 0 on a processor."""
        if self.device == "cpu":
            return 0
        sibling = self.provider.sibling(self._named)
        return round((sibling or self.provider.needs).gpu * GIB)

    @property
    def dtype(self) -> Any:
        """The torch.dtype of its weights."""
        import torch

        if self._dtype_name != AUTO:
            return getattr(torch, self._dtype_name)
        return torch.float32 if self.device == "cpu" else getattr(torch, self.provider.needs.dtype)

    def load(self) -> None:
        """Opens the checkpoint; raises EditmillError, one line, if it cannot be had."""
        with self._loading:
            if self._models is not None:
                return
            kind = self._kind()
            kind.installed()
            folder = kind.folder(self.checkpoint)
            one_for_torch()
            if kind.library == "transformers":
                import transformers

                transformers.utils.logging.disable_progress_bar()  # a build shows its own progress
            try:
                self._models = self._open(folder)
            except EditmillError:
                raise
            except Exception as error:  # whatever is wrong with somebody's files
                raise kind.unreadable(folder, error) from None

    def close(self) -> None:
        """Frees the weights, and the GPU's memory."""
        with self._loading:
            if self._models is None:
                return
            self._models = None
            gc.collect()
            if self.device != "cpu":
                import torch

                torch.cuda.empty_cache()

    def _kind(self) -> Kind:
        """What its checkpoint must be; what is said where there is none."""
        return self.provider.checkpoint_kind(self._named)

    @abstractmethod
    def _open(self, folder: Path) -> Any:
        """The models in `folder`, on `device` and of `dtype`, ready to be called."""
