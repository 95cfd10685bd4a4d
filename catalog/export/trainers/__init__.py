"""Layouts that one trainer's own loader reads, one file a trainer."""
