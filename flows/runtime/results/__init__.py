"""What stages made of records: the journal, what servers answered, and a build's own branch."""
