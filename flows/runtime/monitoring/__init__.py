"""What a build did and is doing: counters, its display in the terminal, what `status` reads."""
