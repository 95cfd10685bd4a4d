"""The build's journal: what each stage made of each record, so that nothing is made twice.

A product is a small JSON document under a key (:func:`catalog.keys.digest` of the inputs, the
parameters, the model and its version). A stage's products of one clip lie on one page, a single
object of the catalog's storage, so that any worker can go on with any clip. A page is written anew
with each product, when the media that the product names are stored: a document that can be read
means the step is done. Killed at any instant, a build finds each product whole or not at all.

Each selection writes pages of its own and reads all: recipes share what they made, and builds on
two branches of a versioned storage never change the same object.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from catalog.storage.files import sweep
from catalog.storage.folder import FolderStorage
from catalog.storage.location import Storage

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PAGE = re.compile(r"work/(format-1/[^/]+/[^/]+|[^/]+/[^/]{1,2}/[^/]+)/[^/]+\.json")
_HEX = re.compile(r"[0-9a-f]{32,64}")  # an id, or a medium's SHA-256

THREADS = 8
"""Pages read at once where all are: elsewhere than in a folder, reading one is mostly waiting."""

FORMAT_1 = "work/format-1"
"""Where an upgraded catalog keeps the journal of format 1, one document per record."""

REMEMBERED = ("fetch", "look")
"""Stages whose products outlive the media that they name: they tell what a remote video is, so that
it need not be fetched again to know that it is not wanted."""

UPGRADED = f"{FORMAT_1}/upgraded.json"
"""Says that there is one."""
READ_AT_ONCE = 1000
"""Pages whose reading waits for a thread; a journal may have millions."""

Document = dict[str, Any]

Found = dict[str, dict[str, Document]]
"""Some products: by the object they lie in, and by their address there."""


class Products:
    """Pages at `work/<stage>/<2 characters>/<page>/<writer>.json`; safe under threads and
    processes.

    Two processes of one `writer` that write one page at the same moment lose a product at most,
    which the next build makes again.
    """

    def __init__(self, storage: Storage, writer: str = "main") -> None:
        self._storage = storage
        self._writer = writer
        self._lock = threading.Lock()
        self._upgraded = storage.exists(UPGRADED)

    def page(self, stage: str, name: str) -> ProductPage:
        """The page as it is stored now; an empty one where there is none, or none that is whole."""
        for part in (stage, name):
            if not _NAME.fullmatch(part):
                raise ValueError(f"{part!r} is no stage or page: letters, digits, '_', '.', '-'")
        return ProductPage(self, stage, name)

    def get(self, stage: str, key: str) -> Document | None:
        """The document on a page of its own; None where there is none."""
        return self.page(stage, key).get(key)

    def put(self, stage: str, key: str, document: Document) -> None:
        """Store the document on a page of its own."""
        self.page(stage, key).put({key: document})

    def sweep(self) -> None:
        """Remove what killed processes left half-written; a build does this once, at its start."""
        if isinstance(self._storage, FolderStorage):
            for folder in self._storage.root.glob("work/*/*/*/"):
                sweep(folder)

    def read(self, stage: str, name: str) -> dict[str, Document]:
        """All products of a page, whoever wrote them, by key."""
        found: dict[str, Document] = {}
        for each in self._storage.list(_folder(stage, name)):
            found.update(self._document(each.key))
        return found

    def read_format_1(self, stage: str, key: str) -> Document | None:
        """The document that a catalog of format 1 had under the key."""
        if not self._upgraded:
            return None
        return self._document(f"{FORMAT_1}/{stage}/{key[:2]}/{key}.json") or None

    def add(self, stage: str, name: str, documents: dict[str, Document]) -> dict[str, Document]:
        """Store these on the writer's own page, beside what is there; return it."""
        key = f"{_folder(stage, name)}/{self._writer}.json"
        with self._lock:
            page = {**self._document(key), **documents}
            data = json.dumps(page, ensure_ascii=False, sort_keys=True).encode()
            self._storage.write(key, data)
        return page

    def naming(self, names: Collection[str]) -> Found:
        """The products in which one of these ids or digests (lower-case hex) occurs, and all on
        pages of that name, whoever wrote them; but for those of :data:`REMEMBERED` stages.

        Reads the whole journal, with a few threads.
        """
        wanted = frozenset(names)
        keys = (each.key for each in self._storage.list("work") if _is_page(each.key))
        found: Found = {}
        with ThreadPoolExecutor(THREADS) as pool:
            while some := list(islice(keys, READ_AT_ONCE)):
                there = pool.map(lambda key: self._naming(key, wanted), some)
                found |= {key: own for key, own in zip(some, there, strict=True) if own}
        return found

    def drop(self, found: Found) -> None:
        """Remove the products that :meth:`naming` found."""
        for key, gone in found.items():
            kept = {k: v for k, v in self._document(key).items() if k not in gone}
            if key.startswith(FORMAT_1) or not kept:
                self._storage.delete([key])
            else:
                data = json.dumps(kept, ensure_ascii=False, sort_keys=True).encode()
                self._storage.write(key, data)

    def _naming(self, key: str, names: frozenset[str]) -> dict[str, Document]:
        text = (self._storage.read(key) or b"").decode(errors="replace")
        by_page = not names.isdisjoint(_HEX.findall(key))
        if not by_page and names.isdisjoint(_HEX.findall(text)):
            return {}
        page = self._document(key)
        if key.startswith(FORMAT_1):
            return {"": page}
        return {
            address: product
            for address, product in page.items()
            if by_page or not names.isdisjoint(_HEX.findall(json.dumps(product)))
        }

    def _document(self, key: str) -> Document:
        """The JSON object under the key; an empty one where there is none that is whole."""
        try:
            found = json.loads(self._storage.read(key) or b"{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class ProductPage:
    """One stage's products of one clip."""

    def __init__(self, products: Products, stage: str, name: str) -> None:
        self._products = products
        self._stage = stage
        self._name = name
        self._documents = products.read(stage, name)

    def get(self, key: str) -> Document | None:
        """The product under the key; None where there is none."""
        found = self._documents.get(key)
        if not isinstance(found, dict):
            return self._products.read_format_1(self._stage, key)
        return found

    def put(self, documents: dict[str, Document]) -> None:
        """Store products, durable when this returns; later ones replace earlier ones.

        Raises EditmillError where they cannot be written, TypeError for what JSON cannot hold.
        """
        self._documents |= self._products.add(self._stage, self._name, documents)


def _is_page(key: str) -> bool:
    return bool(_PAGE.fullmatch(key)) and key.split("/")[1] not in REMEMBERED


def _folder(stage: str, name: str) -> str:
    return f"work/{stage}/{name[:2]}/{name}"
