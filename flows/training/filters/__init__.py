"""Prefect flows that train the filters' models, which are shipped, again."""
