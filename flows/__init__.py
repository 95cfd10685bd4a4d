import os

# Read when Prefect is imported, by whichever way; flows.runtime.prefect_settings says the rest.
os.environ.setdefault("DO_NOT_TRACK", "1")
