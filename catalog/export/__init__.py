"""Exports: a catalog's pairs laid out for a trainer, a judge or a hub.

from catalog.export.formats import format_named
from catalog.export.run import export
export(catalog.open("my-dataset", ref="v1"), format_named("webdataset"), Path("out"))

A format (:mod:`catalog.export.format`) says which files its records become; :mod:`run` chooses the
records, makes the files and writes the card.
"""
