"""Lists of links: tables of them, and what stays the same of a link."""
