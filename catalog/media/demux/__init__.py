"""A video's container: its streams, packets, timing, and the index of its frames."""
