"""`build --dry-run`: what a build would make, cost and need."""
