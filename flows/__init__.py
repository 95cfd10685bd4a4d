import os

# Read when Prefect is imported, by whichever way; the rest is said in flows.prefect_settings.
os.environ.setdefault("DO_NOT_TRACK", "1")
