"""A checkpoint of the user's own: a folder here, or a commit on the hub.

A hub id alone means another model tomorrow, so it is only taken with its commit, `owner/name@<40
hex>`. A folder is known by its files' content.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import EditmillError
from catalog.keys import digest, file_digest

_ON_THE_HUB = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a checkpoint must be: `what` it is called, the `files` that are read of it, the `option`
    that names one, an `example` on the hub, and the `library` that opens it, from `package`, which
    editmill's `extra` brings."""

    what: str
    files: tuple[str, ...]
    option: str
    example: str
    library: str
    package: str
    extra: str

    def folder(self, named: str) -> Path:
        """The folder, fetched from the hub if `named` is none here but `owner/name@<40 hex>`.

        Raises EditmillError, in one line that says what to set.
        """
        folder = Path(named).expanduser()
        if not folder.is_dir():
            folder = self._fetched(named)
        missing = [name for name in self.files if not (folder / name).is_file()]
        if missing:
            raise EditmillError(
                f"{folder}: is no {self.what} ({', '.join(missing)} missing); set {self.option} to "
                f"a folder with {', '.join(self.files)}, or to {self.hub_example}"
            )
        return folder

    @property
    def hub_example(self) -> str:
        """How a checkpoint on the hub is named."""
        return f"a hub id and its commit's 40 hex digits, as {self.example}@<commit>"

    def _fetched(self, named: str) -> Path:
        found = _ON_THE_HUB.fullmatch(named)
        if found is None:
            raise EditmillError(
                f"{self.what} {named}: is neither a folder here nor to be had from the hub without "
                f"its commit; set {self.option} to a folder, or to {self.hub_example}"
            )
        return _snapshot(self, found["name"], found["commit"])

    def version(self, folder: Path) -> str:
        """Of the checkpoint's bytes and the library that opens it. Raises as `installed`."""
        return f"{_fingerprint(folder, self.files)[:8]}+{self.library}-{self.installed()}"

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
        return EditmillError(
            f"{folder}: is no {self.what} that {self.library} can open ({_line(error)}); set "
            f"{self.option} to a folder, or to {self.hub_example}"
        )


@functools.cache
def _snapshot(kind: Kind, name: str, commit: str) -> Path:
    kind.installed()
    import huggingface_hub

    try:
        offline = os.environ.get("EDITMILL_OFFLINE", "0") not in ("", "0")
        return Path(
            huggingface_hub.snapshot_download(
                name, revision=commit, allow_patterns=list(kind.files), local_files_only=offline
            )
        )
    except Exception as error:  # the hub's client has a dozen kinds, none of them our fault
        raise EditmillError(
            f"{kind.what} {name}@{commit}: is neither a folder here nor to be had from the hub "
            f"({_line(error)}); set {kind.option} to the folder of a downloaded one, or to "
            f"{kind.hub_example}"
        ) from None


@functools.cache
def _fingerprint(folder: Path, files: tuple[str, ...]) -> str:
    return digest([file_digest(folder / name) for name in files])


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
