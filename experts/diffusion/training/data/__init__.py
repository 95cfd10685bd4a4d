"""Training records of a catalog, as cached and batched examples."""
