"""Training and evaluation of experts and editors, up to a registered version."""
