"""Prefect flows, the recipe and the command."""

import os

# Read when Prefect is imported, by whichever way; the rest: flows.runtime.orchestration.settings.
os.environ.setdefault("DO_NOT_TRACK", "1")
# The server that Prefect starts for a flow called without one takes 10 s on two idle cores.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
