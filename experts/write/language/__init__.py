"""English: what commands, nouns and clauses of instructions may look like."""
