"""`editmill train quality` and `editmill train alignment`: run the flow and say what came out."""

from __future__ import annotations

import importlib
import json
import threading
from pathlib import Path
from typing import Any, Literal

from catalog.errors import EditmillError
from catalog.storage.files import make_writable
from flows.runtime.orchestration.server import OrchestrationServer
from flows.runtime.stopping import signals
from flows.training.filters.encoders import EMBEDDED, from_option

Name = Literal["quality", "alignment"]


def main(
    name: Name,
    *,
    out: Path | None,
    check: bool,
    server: str | None,
    as_json: bool,
    encoder: str = EMBEDDED,
) -> int:
    """Runs the command and returns its exit code: 1 where the check fails.

    `encoder` is the filters' encoder, as a recipe's `models.encode` has it; only the quality filter
    is trained on another than the embedded one.
    """
    if out is None and not check:
        raise EditmillError(
            f"train {name}: nothing to do; give --out FILE to write the model to, or --check to "
            "compare a new training with the shipped model"
        )
    options = {"encoder": from_option(encoder)} if encoder != EMBEDDED else {}
    if options and check:
        raise EditmillError(
            "train: the shipped model is the embedded encoder's; give --check without --encoder"
        )
    if out is not None:
        make_writable(out)
    reports_to = OrchestrationServer(server)
    # Imported late: this takes seconds, and the command's errors need none of it.
    from flows.runtime.orchestration.client import using
    from flows.runtime.orchestration.run_log import tell

    training = importlib.import_module(f"flows.training.filters.{name}")
    connection = reports_to.connect(threading.Event(), tell)
    with using(connection), signals.handled(signals.interrupt):
        try:
            train = getattr(training, f"train_{name}")
            found = train(out, training.SHIPPED if check else None, **options)
        except Exception:
            if connection.lost:
                raise connection.lost from None
            raise
    if as_json:
        print(json.dumps(found))
    else:
        print("\n".join([training.describe_metrics(found["metrics"]), *_end(found, out)]))
    return int(check and not found["agreement"]["holds"])


def _end(found: dict[str, Any], out: Path | None) -> list[str]:
    """Where the model is, and how far it agrees with the shipped one."""
    lines = [] if out is None else [f"written to {out}"]
    if "agreement" in found:
        agrees = found["agreement"]
        figures = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in agrees.items() if k != "holds")
        word = "agrees with" if agrees["holds"] else "differs from"
        lines.append(f"it {word} the shipped model on the training pairs: {figures}")
    return lines
