"""Which models can serve an ability: one TOML file per slot, one table per provider.

A stage asks for a slot and never names a class. What a provider is made of (its checkpoint, that
checkpoint's commit and size), under which licence its weights and what they put out stand, and what
it needs to run is data, and so can be shown before anything is imported or fetched.
"""

from __future__ import annotations

import functools
import importlib
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from catalog.errors import EditmillError
from experts.checkpoint import Kind
from experts.checkpoint.formats import is_weights
from experts.licences import OutputLicence


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Files of one commit of a repository on the hub.

    `commit` is 40 hex digits, empty where whoever uses it must name one. `files` are patterns, all
    of them of formats that cannot run code; `needed` are those without which it is not whole: by
    default those without a wildcard, and all of weights. `size` in bytes.
    """

    repo: str
    commit: str
    files: tuple[str, ...]
    needed: tuple[str, ...]
    size: int

    @property
    def optional(self) -> tuple[str, ...]:
        """Patterns of files that are fetched where there are any."""
        return tuple(pattern for pattern in self.files if pattern not in self.needed)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a provider takes: `gpu` in GiB of a GPU's memory at `dtype` (0: a processor will do),
    `offloaded` the same where its parts take turns on the GPU (0: it has no such mode), `library`
    that opens it, from the package `package`, which editmill's `extra` brings."""

    gpu: float = 0.0
    offloaded: float = 0.0
    dtype: str = "float32"
    library: str = ""
    package: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another repository that a provider can open, called `what`: `size` in bytes of its weights,
    `gpu` in GiB as of `Needs`. `licensed`: whether the provider's licences are its own, too."""

    repo: str
    what: str
    size: int
    gpu: float
    licensed: bool = True


@dataclass(frozen=True, slots=True)
class Provider:
    """One model that can serve `slot`.

    `implementation` is `module:Class`. `uses` are slots whose models it is given. `weights` are
    entries of the weights manifest that it opens, `checkpoint` is what it opens instead of them.
    `output` is the licence of what it puts out, None where that is not known. `siblings` are other
    repositories that serve as well.
    """

    slot: str
    name: str
    what: str
    implementation: str
    licence: str
    licence_from: str
    output: OutputLicence | None
    needs: Needs
    uses: tuple[str, ...] = ()
    siblings: tuple[Sibling, ...] = ()
    weights: tuple[str, ...] = ()
    checkpoint: Checkpoint | None = None

    def kind(self) -> type[Any]:
        """The class. Raises EditmillError, one line, where a library that it is written for is
        not installed."""
        module, _, name = self.implementation.partition(":")
        try:
            found: type[Any] = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            raise EditmillError(
                f"{self.slot}: {self.name} needs {error.name}, which is not installed; install it, "
                f"in the checkout, with: pip install -e '.[{self.needs.extra or 'gpu'}]'"
            ) from None
        return found

    def is_own(self, checkpoint: str) -> bool:
        """Whether it is of the repository that the registry names."""
        return self.checkpoint is None or checkpoint.partition("@")[0] == self.checkpoint.repo

    def is_licensed(self, checkpoint: str) -> bool:
        """Whether the licences that are stated here are those of this checkpoint."""
        sibling = self.sibling(checkpoint)
        return self.is_own(checkpoint) or (sibling is not None and sibling.licensed)

    def sibling(self, checkpoint: str) -> Sibling | None:
        """The one that a checkpoint is of; None for another repository, and a folder."""
        repo = checkpoint.partition("@")[0]
        return next((each for each in self.siblings if each.repo == repo), None)

    @property
    def option(self) -> str:
        """Where a recipe names its checkpoint: editors are chosen by task."""
        place = "experts" if self.slot == "edit" else f"models.{self.slot}"
        return f"`checkpoint` of `{place}`"

    @property
    def without_commit(self) -> str:
        """What is said where no commit of its checkpoint is settled."""
        assert self.checkpoint is not None
        repo = self.checkpoint.repo
        return (
            f"{self.name}: which commit of {repo} is not settled; set {self.option} to "
            f"{repo}@<its commit's 40 hex digits>, or to a folder"
        )

    def checkpoint_kind(self, named: str = "") -> Kind:
        """How its checkpoint is looked for, by default its own, and what is said where it is not
        there."""
        assert self.checkpoint is not None
        sibling = self.sibling(named)
        return Kind(
            what=sibling.what if sibling else self.what,
            files=self.checkpoint.needed,
            optional=self.checkpoint.optional,
            option=self.option,
            example=self.checkpoint.repo,
            library=self.needs.library,
            package=self.needs.package or self.needs.library,
            extra=self.needs.extra,
        )


@functools.cache
def slots() -> tuple[str, ...]:
    """Every slot, in the alphabet's order."""
    folder = files("experts.providers") / "slots"
    return tuple(sorted(e.name[:-5] for e in folder.iterdir() if e.name.endswith(".toml")))


@functools.cache
def providers(slot: str) -> dict[str, Provider]:
    """The providers of a slot by name, in the file's order: the embedded one first."""
    if slot not in slots():
        raise EditmillError(f"no slot is called {slot!r}; there are: {', '.join(slots())}")
    text = (files("experts.providers") / "slots" / f"{slot}.toml").read_text(encoding="utf-8")
    return {name: _provider(slot, name, table) for name, table in tomllib.loads(text).items()}


def provider(slot: str, name: str) -> Provider:
    """The provider `name` of `slot`; raises EditmillError, naming those there are."""
    known = providers(slot)
    if name not in known:
        raise EditmillError(f"nothing called {name!r} serves {slot}; there are: {', '.join(known)}")
    return known[name]


def _provider(slot: str, name: str, table: dict[str, Any]) -> Provider:
    checkpoint = table.get("checkpoint")
    output = table.get("output")
    return Provider(
        slot=slot,
        name=name,
        what=table["what"],
        implementation=table["implementation"],
        licence=table["licence"],
        licence_from=table["licence_from"],
        output=OutputLicence(**output) if output else None,
        needs=Needs(**table.get("needs", {})),
        uses=tuple(table.get("uses", ())),
        siblings=tuple(Sibling(**each) for each in table.get("siblings", ())),
        weights=tuple(table.get("weights", ())),
        checkpoint=_checkpoint(checkpoint) if checkpoint else None,
    )


def _checkpoint(table: dict[str, Any]) -> Checkpoint:
    wanted = tuple(table["files"])
    usual = tuple(each for each in wanted if is_weights(each) or not set(each) & set("*?["))
    return Checkpoint(
        repo=table["repo"],
        commit=table.get("commit", ""),
        files=wanted,
        needed=tuple(table.get("needed", usual)),
        size=table["size"],
    )
