"""Local-edit records, which are drawn from clips instead of made by experts."""
