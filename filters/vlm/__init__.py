"""Pairs judged by models that see both videos and read the instruction: see `judge`."""
