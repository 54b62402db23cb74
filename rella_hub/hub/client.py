"""The Hub's client, which checks every answer: a server may say anything, and its words become names of files and numbers of bytes here.

The library makes paths of hashes, commits and file names as a server states them, and writes what comes for as long as it comes. So each
answer is looked at before the library sees it, of whichever of its functions asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

from httpx2 import SyncByteStream  # what huggingface_hub speaks HTTP with
from huggingface_hub import HfApi, constants, get_token, set_client_factory
from huggingface_hub.utils._http import default_client_factory

LARGEST_ANSWER = 64 * 1024**2  # bytes of anything that is no file, and of a file whose size nobody stated
MOST_FILES = 50_000  # of a listing; the largest repository of this project has hundreds
MOST_URLS = 10_000  # whose sizes are kept in mind
HASH = re.compile(r"[\w+=-][\w.+=-]{0,199}")
COMMIT = re.compile(r"[0-9a-f]{7,64}")
LOADED = (".parquet", ".json", ".safetensors", ".model", ".txt", ".md")
_INFO = re.compile(r"/api/(?:models|datasets|spaces)/[^/]+/[^/]+(?:/revision/[^/]+)?")
_TREE = re.compile(r"/api/(?:models|datasets|spaces)/[^/]+/[^/]+/tree/.+")
_sizes: dict[str, int] = {}  # address of a file -> bytes that a HEAD request was told
_listed: dict[str, set[str]] = {}  # address of a listing -> the files on its pages so far
_state = {"guarded": False}


def hub_api() -> HfApi:
    """A client of the Hub whose answers are checked. ValueError where a token would travel unencrypted."""
    guard()
    return HfApi(library_name="rella")


def guard() -> None:
    """Have every answer checked from now on, and see to it that no token travels unencrypted to another machine."""
    endpoint = urlsplit(constants.ENDPOINT)
    if endpoint.scheme != "https" and not _is_this_machine(endpoint.hostname or "") and get_token() is not None:
        raise ValueError(
            f"HF_ENDPOINT is an address of {endpoint.scheme or 'no protocol'} at {endpoint.hostname}, and your token would be readable "
            "on the way there. Use https, or unset the token (HF_TOKEN, `hf auth logout`) to read what is public."
        )
    if not _state["guarded"]:
        set_client_factory(_client)
        _state["guarded"] = True


def _client():
    client = default_client_factory()
    client.headers["Accept-Encoding"] = "identity"  # so that the bytes that come are those that a size was stated of
    client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks.get("response", []), _check]}
    return client


def _check(response) -> None:
    """ValueError for an answer that no Hub gives. The body is not read yet, and bounded from here on."""
    request, url = response.request, str(response.request.url)
    path = request.url.path
    if response.is_redirect:
        _check_redirect(url, urljoin(url, response.headers.get("Location", "")))
    if "/resolve/" in path:
        _check_headers(response.headers, url)
    if request.method == "HEAD":
        _remember_size(response, url)
        return
    is_file = request.method == "GET" and "/api/" not in path
    if is_file and response.headers.get("Content-Encoding", "identity") != "identity":
        raise ValueError(f"{url} sends its file packed, which was not asked for. It is not read.")
    response.stream = _Bounded(response.stream, _sizes.get(url, LARGEST_ANSWER) if is_file else LARGEST_ANSWER, url)
    if request.method == "GET" and response.is_success:
        if _TREE.fullmatch(path):
            _check_listing(_json(response), url)
        elif _INFO.fullmatch(path):
            _check_info(_json(response), url)


def _check_redirect(url: str, target: str) -> None:
    here, there = urlsplit(url), urlsplit(target)
    if there.scheme != "https" and there.scheme != here.scheme:
        raise ValueError(f"{url} sends its reader on to an address of {there.scheme!r}. It is not followed.")
    if there.hostname != here.hostname and _is_inside(there.hostname or ""):
        raise ValueError(
            f"{url} sends its reader on to {there.hostname}, a machine of this network. It is not followed."
        )


def _check_headers(headers, url: str) -> None:
    for name, pattern in (("ETag", HASH), ("X-Linked-Etag", HASH), ("X-Repo-Commit", COMMIT)):
        said = headers.get(name, "").removeprefix("W/").strip('"')
        if said and not pattern.fullmatch(said):
            raise ValueError(f"{url} answers with the {name} {said[:80]!r}, which is none. The file is not read.")


def _remember_size(response, url: str) -> None:
    said = response.headers.get("X-Linked-Size") or (
        "" if response.is_redirect else response.headers.get("Content-Length", "")
    )
    if said.isdecimal():
        if len(_sizes) >= MOST_URLS:
            _sizes.clear()
        _sizes[url] = _sizes[urljoin(url, response.headers.get("Location", url))] = int(said)


def _json(response) -> object:
    """The body as the library will read it; what is no JSON is the library's to refuse."""
    try:
        return json.loads(response.read())
    except RecursionError:
        raise ValueError(
            f"{response.request.url} answers with JSON that is nested too deeply. It is not read."
        ) from None
    except ValueError as error:
        if isinstance(error, _TooMuch):
            raise
        return None


def _check_listing(entries: object, url: str) -> None:
    listing, _, query = url.partition("?")
    listed = _listed.setdefault(listing, set()) if "cursor=" in query else set()
    for entry in entries if isinstance(entries, list) else []:
        name = _checked_name(entry.get("path") if isinstance(entry, dict) else None, listing)
        if name.lower() in listed and name.endswith(LOADED):
            raise ValueError(f"{listing} lists {name!r} twice, in small and large letters. It is not read.")
        listed.add(name.lower())
        if len(listed) > MOST_FILES:
            raise ValueError(f"{listing} lists more than {MOST_FILES:,} files. It is not read.")
    _listed.clear()  # one listing is read at a time, or begins anew
    _listed[listing] = listed


def _check_info(info: object, url: str) -> None:
    if not isinstance(info, dict):
        return
    if not COMMIT.fullmatch(str(info.get("sha") or "0" * 40)):
        raise ValueError(f"{url} says that its commit is {str(info['sha'])[:80]!r}, which is none. It is not read.")
    siblings = info.get("siblings")
    for sibling in siblings if isinstance(siblings, list) else []:
        _checked_name(sibling.get("rfilename") if isinstance(sibling, dict) else None, url)


def _checked_name(given: object, where: str) -> str:
    name = given if isinstance(given, str) else ""
    parts = name.split("/")
    unsafe = any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)
    if unsafe or "\\" in name or ":" in parts[0] or not name.isprintable() or len(name) > 1_000:
        raise ValueError(
            f"{where} lists a file of the name {str(given)[:80]!r}, which no repository holds. It is not read."
        )
    return name


class _TooMuch(ValueError):
    """More bytes than were stated."""


class _Bounded(SyncByteStream):
    """A body that ends in an error after so many bytes."""

    def __init__(self, stream, limit: int, url: str):
        self._stream, self._limit, self._url = stream, limit, url

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for part in self._stream:
            received += len(part)
            if received > self._limit:
                raise _TooMuch(
                    f"{self._url} sends more than the {self._limit:,} bytes that it may have. It is not read."
                )
            yield part

    def close(self) -> None:
        self._stream.close()


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _is_inside(host: str) -> bool:
    """Whether a host is, by its number, one that only this network reaches."""
    address = _address(host)
    return host == "localhost" or (address is not None and not address.is_global)


def _address(host: str):
    try:
        return ip_address(host)
    except ValueError:
        return None
