"""Which pairs an export holds, in which split, and what its index says of them."""
