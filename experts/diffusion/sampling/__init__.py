"""Sampling: noise schedule, guidance, caches."""
