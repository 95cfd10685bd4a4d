"""Does the target show what its prompt says? The filter, the style probes and their training."""
