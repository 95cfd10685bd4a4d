"""What a model must have as its checkpoint."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import EditmillError
from experts.checkpoint import download
from experts.checkpoint.fingerprint import content_digest
from experts.checkpoint.formats import is_safe, missing, names_in, only_pickles, selected
from experts.checkpoint.listing import listing
from experts.checkpoint.places import candidates, offline

_ON_THE_HUB = re.compile(r"(?P<name>\w[\w.-]*/\w[\w.-]*)@(?P<commit>[0-9a-f]{40})")


class NotHadError(EditmillError):
    """A checkpoint is neither here nor to be had; `reason` is why, in a few words."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Kind:
    """What a checkpoint must be: `what` it is called, the `files` that are read of it (patterns of
    fnmatch, each of which something must match), the `option` that names one, an `example` on the
    hub, and the `library` that opens it, from `package`, which editmill's `extra` brings. Files
    that match `optional` are fetched where there are any."""

    what: str
    files: tuple[str, ...]
    option: str
    example: str
    library: str
    package: str
    extra: str
    optional: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unsafe = [pattern for pattern in self.patterns if not is_safe(pattern)]
        if unsafe:
            raise ValueError(f"{self.what}: {', '.join(unsafe)} may match files that can run code")

    @property
    def patterns(self) -> tuple[str, ...]:
        """Of all files that are fetched."""
        return (*self.files, *self.optional)

    def folder(self, named: str | Path, report: download.Report | None = None) -> Path:
        """The folder, fetched from the hub if `named` is none here but `owner/name@<40 hex>` and
        that commit is not on this machine.

        Raises EditmillError, in one line that says what to set.
        """
        here = self.present(named)
        if here is not None:
            return here
        repo, commit = self._commit(named)
        if offline():
            why = "is not on this machine, and EDITMILL_OFFLINE is set"
            raise self._not_had(named, why, "EDITMILL_OFFLINE is set")
        try:
            fetched = download.fetch(repo, commit, self.patterns, report)
        except (download.UnavailableError, OSError) as error:
            why = f"is neither here nor to be had from the hub ({error})"
            raise self._not_had(named, why, str(error)) from None
        return self._whole(fetched)

    def present(self, named: str | Path) -> Path | None:
        """The folder, where it is whole on this machine; None for a commit that is not.

        Raises EditmillError for a folder that is none of this kind, and for a name that is neither
        a folder nor a commit of the hub.
        """
        folder = _folder_here(named)
        if folder is not None:
            return self._whole(folder)
        repo, commit = self._commit(named)
        return next(
            (each for each in candidates(repo, commit, self.patterns) if self._holds(each)), None
        )

    @staticmethod
    def is_commit(named: str | Path) -> bool:
        """Whether it is a name of a commit on the hub."""
        return _ON_THE_HUB.fullmatch(str(named)) is not None

    @property
    def hub_example(self) -> str:
        """How a checkpoint on the hub is named."""
        return f"a hub id and its commit's 40 hex digits, as {self.example}@<commit>"

    def version(self, named: str | Path) -> str:
        """Of the checkpoint and the library that opens it: of the commit, or of a folder's bytes.
        Nothing is fetched. Raises as `present` and `installed`."""
        folder = _folder_here(named)
        if folder is not None:
            names = selected(names_in(self._whole(folder)), self.patterns)
            content = content_digest(folder, names)
        else:
            _, content = self._commit(named)
        return f"{content[:8]}+{self.library}-{self.installed()}"

    def installed(self) -> str:
        """The library's version. Raises EditmillError, one line, where it is not installed."""
        if importlib.util.find_spec(self.library) is None:
            raise EditmillError(
                f"a {self.what} needs {self.library}, which is not installed; "
                f"install it, in the checkout, with: pip install -e '.[{self.extra}]'"
            )
        return importlib.metadata.version(self.package)

    def unreadable(self, folder: Path, error: Exception) -> EditmillError:
        """What to raise where the library cannot open it."""
        line = " ".join(str(error).split())[:200]
        return EditmillError(
            f"{folder}: is no {self.what} that {self.library} can open ({line}); {self._remedy}"
        )

    @property
    def _remedy(self) -> str:
        files = ", ".join(self.files)
        return f"set {self.option} to a folder with {files}, or to {self.hub_example}"

    def _commit(self, named: str | Path) -> tuple[str, str]:
        found = _ON_THE_HUB.fullmatch(str(named))
        if found is None and _is_path(str(named)):
            raise EditmillError(
                f"{self.what} {named}: there is no such folder; set {self.option} to one that is "
                f"there, or to {self.hub_example}"
            )
        if found is None:
            raise EditmillError(
                f"{self.what} {named}: is neither a folder here nor to be had from the hub without "
                f"its commit; set {self.option} to a folder, or to {self.hub_example}"
            )
        return found["name"], found["commit"]

    def _not_had(self, named: str | Path, why: str, reason: str) -> NotHadError:
        return NotHadError(
            f"{self.what} {named}: {why}; set {self.option} to the folder of a downloaded one, "
            f"EDITMILL_MIRROR to a folder with {self._commit(named)[0]} in it, or {self.option} to "
            f"{self.hub_example}",
            reason,
        )

    def _holds(self, folder: Path) -> bool:
        if not folder.is_dir():
            return False
        try:
            if missing(folder, self.files, self.optional):
                return False
        except ValueError:
            return False
        return all((folder / name).is_file() for name in selected(listing(folder), self.patterns))

    def _whole(self, folder: Path) -> Path:
        """The folder again. Raises EditmillError, one line, where something is missing."""
        try:
            lacking = missing(folder, self.files, self.optional)
        except ValueError as error:
            raise self.unreadable(folder, error) from None
        if not lacking:
            return folder
        pickle = only_pickles(names_in(folder))
        if pickle:
            raise EditmillError(
                f"{folder}: has its weights only as a pickle ({pickle}), which can run code when "
                f"opened; save them as safetensors, or {self._remedy}"
            )
        raise EditmillError(
            f"{folder}: is no {self.what} ({', '.join(lacking)} missing); {self._remedy}"
        )


def _is_path(named: str) -> bool:
    """Whether it can be meant as a folder only: a hub id has one `/`, and begins with a letter."""
    return named.startswith(("~", "/", ".")) or named.count("/") > 1 or "\\" in named


def _folder_here(named: str | Path) -> Path | None:
    """The folder of this name; None where there is none, or the name can be none of a file."""
    try:
        folder = Path(named).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError):  # too long, or `~` of nobody
        return None
