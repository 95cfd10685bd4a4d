"""Loads the packages beside this one, whatever else has their names.

Python looks for modules in the folder of the script, or in the working folder, before it looks
among what is installed. A `catalog.py` that lies there would be taken for the package `catalog`.
So the packages are loaded from the folder this distribution was installed into; from then on every
`import catalog.…` finds what is loaded.

One process has one module of a name, so two cases cannot be solved here: a user's own `catalog`
that was imported before (`load` raises ImportError), and one that is imported afterwards (Python
gives this distribution's).
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

INSTALLED = Path(__file__).resolve().parent.parent
"""The folder that holds the packages of this distribution, side by side."""


def load(*names: str) -> None:
    """Load these packages of the distribution, unless they are loaded already.

    Raises ImportError where another module of that name is loaded, or the package is missing.
    """
    for name in names:
        loaded = sys.modules.get(name)
        if loaded is None:
            _load(name)
        elif _folder(loaded) != INSTALLED / name:
            raise ImportError(
                f"editmill has a package {name!r}, but {_origin(loaded)} was imported under that "
                "name; rename it, or start again and import editmill first",
                name=name,
            )


def _load(name: str) -> None:
    spec = PathFinder.find_spec(name, [str(INSTALLED)])
    if spec is None or spec.loader is None:
        raise ImportError(
            f"editmill's package {name!r} is not in {INSTALLED}; install editmill again", name=name
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _folder(module: ModuleType) -> Path | None:
    """The folder of a package; None for a module that is no package."""
    folders = list(getattr(module, "__path__", ()))
    return Path(folders[0]).resolve() if folders else None


def _origin(module: ModuleType) -> object:
    return getattr(module, "__file__", None) or _folder(module) or "another module"
