"""How the quality filter's model is trained: good edits, the same edits broken on purpose, an
ensemble that tells them apart, and what it is worth on footage it never saw."""
