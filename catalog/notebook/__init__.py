"""What a notebook shows of a pair and of a catalog, as HTML that needs no file beside it."""
