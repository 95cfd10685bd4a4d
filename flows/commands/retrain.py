"""`editmill retrain`: run the flow and say what came out."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, cast

from catalog.errors import EditmillError
from experts.edit.tasks import EDITORS, TRAINED
from filters.trained import NAMED_BY
from flows.runtime.orchestration.server import OrchestrationServer
from flows.runtime.stopping import signals


def main(
    name: str,
    root: str,
    *,
    recipe: str | None,
    least_new: int,
    margin: float | None,
    config: Path | None,
    base: Path | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Runs the command; EditmillError passes through."""
    known = (*NAMED_BY, *TRAINED, *EDITORS)
    if name not in known:
        raise EditmillError(f"nothing trained is called {name!r}; use one of: {', '.join(known)}")
    reports_to = OrchestrationServer(server)
    # Imported late: this takes seconds, and the command's errors need none of it.
    from flows.runtime.orchestration.client import using
    from flows.runtime.orchestration.run_log import tell
    from flows.training.retrain import checked, retrain
    from flows.training.retraining import Retraining

    checked(root, name, recipe, config, margin)
    connection = reports_to.connect(threading.Event(), tell)
    with using(connection), signals.handled(signals.interrupt):
        try:
            found = retrain(
                root, cast(Any, name), recipe, least_new, margin=margin, config=config, base=base
            )
        except Exception:
            if connection.lost:
                raise connection.lost from None
            raise
    print(json.dumps(found) if as_json else Retraining(**cast(Any, found)).line())
