"""From sources to annotated clips: fetch, look, ingest, annotate and caption."""
