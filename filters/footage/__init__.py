"""Footage is looked at before it is used: what it shows is measured once, and the recipe's rules
say what is refused."""
