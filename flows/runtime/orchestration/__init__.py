"""The Prefect server behind a build, and what is said to it."""
