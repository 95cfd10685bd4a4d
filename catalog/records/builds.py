"""What builds and people leave beside the data: failures, models, labels, releases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from catalog.keys import digest


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that could not be made. `record` is the id or path it concerns."""

    failure_id: str  # see failure_id()
    stage: str
    record: str
    reason: str
    message: str


def failure_id(stage: str, record: str) -> str:
    """The key of the row in `failures` that a stage has on a record: there is at most one."""
    return digest("failure", stage, record)


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that took part in a build, with where it came from and under which licence.

    An expert trained from a catalog (`kind` is `expert`) has its row in `trained`. It also says
    where its weights lie, what it learnt from and by which settings; :mod:`catalog.trained` keeps
    those.
    """

    model_id: str  # name@version
    name: str
    version: str
    licence: str
    origin: str
    metrics: dict[str, Any]
    kind: str = ""  # `expert` or `filter` for one that was trained here
    path: str = ""  # its folder, relative to the catalog: `models/<name>/<version>`
    config: dict[str, Any] = field(default_factory=dict)  # how it was trained
    data_ref: str = ""  # what it learnt from: a release, or `main` and its tables' versions
    parent: str = ""  # model_id of the version its training began with; empty for the base
    promoted: bool = False  # the newest promoted one is `latest`
    created_at: str = ""  # ISO 8601, UTC


@dataclass(frozen=True, slots=True)
class Label:
    """What a person said of a pair. It is never changed: of several of one pair the newest holds
    (:func:`catalog.labels.newest`)."""

    label_id: str
    pair_id: str
    good: bool  # a good edit; else a failed one
    by: str  # who said so; may be empty, as the note may
    note: str
    labelled_at: str  # ISO 8601, UTC, with microseconds


@dataclass(frozen=True, slots=True)
class Release:
    """A tag: what one recipe asked for, at the version that every table had, under one policy."""

    tag: str
    created_at: str  # ISO 8601, UTC
    tables: dict[str, Any]  # table name → Delta version
    recipe: str
    notes: str
    selection: str = ""  # whose tables these are
    policy: dict[str, Any] = field(default_factory=dict)
    """By which pairs are kept (:class:`catalog.policy.Policy`); empty: by what the rows say."""
    decided_by: list[str] = field(default_factory=list)
    """Keys of the policies under which the rows' verdicts were written."""
    without: list[str] = field(default_factory=list)
    """Parts of the tables that another build was writing at the time."""
    code: str = ""  # version of editmill
    counts: dict[str, Any] = field(default_factory=dict)  # see catalog.releases.counts.count
    models: dict[str, Any] = field(default_factory=dict)
    """The models that took part, by `model_id`: their licence and origin."""
    number: int = 0  # one more than any earlier release's; 0 in releases of before there was one
