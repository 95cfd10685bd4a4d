"""`editmill collect` as a Prefect flow."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

import catalog
from catalog.keeping.garbage import collect
from flows.runtime.idle import refuse_while_building
from flows.runtime.orchestration.run_log import tell


@flow(name="clean-up", flow_run_name="clean up {out}", persist_result=False)
def clean_up(out: str = "editmill-demo", older_than: float = 168) -> State[dict[str, Any]]:
    """Delete what no release of a catalog and not its main needs: media, selections, table files.

    Raises EditmillError as soon as a build runs in the catalog; the next run goes on.

    Args:
        out: The catalog: a folder, s3://bucket/prefix or lakefs://repository.
        older_than: Hours that what nothing needs is kept, for builds to go on with.

    Returns:
        `catalog.keeping.garbage.Collected` as a mapping.
    """
    dataset = catalog.open(out)
    dataset.refuse_old_format()
    refuse_while_building(out)
    done = collect(
        dataset.storage,
        older_than=older_than,
        dry_run=False,
        check=lambda: refuse_while_building(out),
    )
    line = f"{out}: deleted {done.removed()}; {done.kept} media are needed"
    tell(line)
    return Completed(message=line, data=asdict(done))
