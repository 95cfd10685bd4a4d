"""Which deployments a catalog gets: flow, schedule, parameters and work pool of each, as data.

A build, a release and a clean-up write to the catalog, so they share a work queue with one slot
(:func:`flows.deployments.pools.queue_name`): a run whose time has come waits there until the one
before it has ended. Prefect's concurrency limit of a deployment would not do: it does not reach
across deployments, and its lease is lost when the server is restarted, upon which the engine ends
a run that is well (3.8, `maintain_concurrency_lease`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect.client.schemas.schedules import CronSchedule
from pydantic import ValidationError

from catalog.errors import EditmillError
from experts.diffusion.specs import EXPERTS

NIGHTLY = "0 2 * * *"
"""Every day at two."""

MONTHLY = "0 8 1 * *"
"""The first day of a month, after the build of that night."""

WEEKLY = "0 12 * * 6"
"""Saturday noon; whether enough is new for a training, its flow finds out."""

CLEAN_UP = "0 18 * * 0"
"""Sunday evening."""

LEAST_KEPT = 0.1
"""Share of a build's new pairs. A build of footage that nothing was tuned on kept .89 of them
(infra/bench/results/unseen.md); where fewer than one in ten is kept, something is wrong."""

FILTERS = ("quality", "alignment")
"""What is trained beside the experts, on a processor: the quality filter and the style probes."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A deployment. `entrypoint` is `module.flow`; `exclusive` is whether no other exclusive run
    of its catalog may be at work; `schedule` None is for runs that somebody starts."""

    name: str
    entrypoint: str
    parameters: dict[str, Any] = field(default_factory=dict)
    schedule: CronSchedule | None = None
    exclusive: bool = False
    gpu: bool = False


def planned(
    recipe: str,
    out: str,
    *,
    cron: str = NIGHTLY,
    timezone: str = "UTC",
    gpus: int = 0,
    least_kept: float = LEAST_KEPT,
    prefix: str = "",
) -> list[Planned]:
    """The deployments of the catalog `out`, which `recipe` builds.

    Experts are retrained on a schedule where there are GPUs for it. A build that keeps less than
    `least_kept` (0–1) of its new pairs tells the server so. `prefix` and a hyphen go before
    each name.
    Raises EditmillError for what is no cron expression or no time zone.
    """
    both = {"recipe": recipe, "out": out}
    prefix = f"{prefix.rstrip('-')}-" if prefix else ""
    return [
        Planned(
            f"{prefix}nightly",
            "flows.build.build",
            {**both, "least_kept": least_kept},
            _schedule(cron, timezone, "--cron"),
            exclusive=True,
        ),
        *(
            Planned(
                f"{prefix}retrain-{name}",
                "flows.training.retrain.retrain",
                {**both, "expert": name},
                _schedule(WEEKLY, timezone) if gpus or name in FILTERS else None,
                gpu=name in EXPERTS,
            )
            for name in (*EXPERTS, *FILTERS)
        ),
        Planned(
            f"{prefix}release",
            "flows.release.flow.release",
            both,
            _schedule(MONTHLY, timezone),
            exclusive=True,
        ),
        Planned(
            f"{prefix}clean-up",
            "flows.deployments.clean_up.clean_up",
            {"out": out},
            _schedule(CLEAN_UP, timezone),
            exclusive=True,
        ),
    ]


def catalog_for_runs(out: str) -> str:
    """The catalog's URI for a run in another folder: a folder becomes absolute."""
    return out if "://" in out else str(Path(out).expanduser().absolute())


def recipe_for_runs(recipe: str) -> str:
    """The recipe for a run in another folder: a file becomes absolute, a shipped name stays."""
    path = Path(recipe).expanduser()
    return str(path.absolute()) if path.exists() else recipe


def _schedule(cron: str, timezone: str, option: str = "") -> CronSchedule:
    try:
        return CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        wrong = {part for each in error.errors() for part in each["loc"]}
        if "timezone" in wrong:
            raise EditmillError(
                f"--timezone {timezone}: is no time zone; give one like Europe/Berlin"
            ) from None
        raise EditmillError(
            f"{option} {cron!r}: is no cron expression; give one like {NIGHTLY!r}, minute, hour, "
            "day, month and day of the week"
        ) from None
