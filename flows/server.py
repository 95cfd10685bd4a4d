"""Prefect's embedded server, booted while the rest of the program is still being imported."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from prefect.client.orchestration import get_client


def boot() -> Future[Any]:
    """Starts the server, unless `PREFECT_API_URL` names one. Await it before a flow runs: a second
    start at the same time would not wait for the first."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="prefect-server")
    started = pool.submit(get_client, sync_client=True)
    pool.shutdown(wait=False)
    return started
