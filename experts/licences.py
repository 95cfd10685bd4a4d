"""Under which licence an expert's output stands, and whether it may train a model.

The footage has a licence of its own (`licence` of a pair). This one follows from what made the
edit: editmill's code and the weights it runs. An expert declares it as `output_licence`; one whose
licence is not known declares None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from experts.weights import entry

NO_CLAIM = frozenset({"Apache-2.0", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause"})
"""Licences (SPDX) without any condition on what the licensed code or model outputs."""


@dataclass(frozen=True, slots=True)
class OutputLicence:
    """The licence that governs an expert's output.

    name: SPDX expression; a licence that SPDX does not list is a `LicenseRef-…`.
    may_train: whether it lets the output train any model, a competing one too; None: not known.
    source: where this is stated.
    """

    name: str
    may_train: bool | None
    source: str


EDITMILL = OutputLicence("Apache-2.0", True, "editmill's LICENSE")
"""Of experts that are this code and nothing else."""


def combined(licences: Iterable[OutputLicence | None]) -> OutputLicence | None:
    """What holds where all of these do; None where one of them is not known."""
    parts = list(dict.fromkeys(licences))
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    names = list(dict.fromkeys(name for part in known for name in part.name.split(" AND ")))
    may = [part.may_train for part in known]
    return OutputLicence(
        " AND ".join(names),
        False if False in may else None if None in may else True,
        "; ".join(part.source for part in known),
    )


def of_weights(*slots: str) -> OutputLicence | None:
    """Of editmill's code with the weights of these slots of the manifest; None where one stands
    under a licence that is not in :data:`NO_CLAIM`."""
    return combined([EDITMILL, *map(_of_slot, slots)])


def _of_slot(slot: str) -> OutputLicence | None:
    weights = entry(slot)
    if weights.licence not in NO_CLAIM:
        return None
    return OutputLicence(weights.licence, True, f"weights {slot}: {weights.licence_from}")
