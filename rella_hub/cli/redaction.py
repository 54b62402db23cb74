"""No output shows a token: what is printed, logged or raised goes through `redacted`, whatever a server or a library wrote into it.

Known are the tokens of this machine (HF_TOKEN, the ones that `hf auth login` stored, passwords inside addresses), as they stand and as
they look percent-encoded, escaped, in hexadecimal or in Base64. Anything else that has the shape of a token goes too.
"""

from __future__ import annotations

import base64
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TextIO
from urllib.parse import unquote, urlsplit

HIDDEN = "[redacted]"
SHORTEST = 8  # characters; what is shorter is no token, and would be found in every second word
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN", "RAY_AUTH_TOKEN", "OPENAI_API_KEY")
ADDRESSES = ("HF_ENDPOINT", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
LOOKS_SECRET = re.compile(
    r"\b(?:hf|api_org)_(?:oauth_|jwt_|app_)?[A-Za-z0-9]{10}[\w.-]*"  # a token of the Hub, of whomever
    r"|(?<=://)[^/\s@'\"<>]+(?=@)"  # user and password inside an address
    r"|(?<=bearer )[^\s'\",;]{8,}|(?<=basic )[A-Za-z0-9+/=_-]{12,}"
    r"|(?<=authorization: )(?!bearer |basic )[^\s'\",;]{8,}",
    re.IGNORECASE,
)


def redacted(text: str) -> str:
    """`text` without any token."""
    known = _pattern(known_secrets())
    return LOOKS_SECRET.sub(HIDDEN, known.sub(HIDDEN, text) if known else text)


def known_secrets() -> frozenset[str]:
    """The tokens and passwords of this machine; longer than any word that one would miss."""
    found = {os.environ.get(name, "").strip() for name in TOKENS}
    found |= {unquote(urlsplit(os.environ.get(name, "")).password or "") for name in ADDRESSES}
    home = os.environ.get("HF_HOME") or f"{os.environ.get('XDG_CACHE_HOME', '~/.cache')}/huggingface"
    token = Path(os.environ.get("HF_TOKEN_PATH") or f"{home}/token").expanduser()
    stored = Path(os.environ.get("HF_STORED_TOKENS_PATH") or token.with_name("stored_tokens")).expanduser()
    found |= {line.rpartition("=")[2].strip() for path in (token, stored) for line in _lines(path)}
    return frozenset(secret for secret in found if len(secret) >= SHORTEST and not secret.startswith("["))


@contextmanager
def redacted_output() -> Iterator[None]:
    """Within the block nothing that this process prints, logs or warns of shows a token."""
    streams, factory = (sys.stdout, sys.stderr), logging.getLogRecordFactory()

    def redacted_record(*arguments, **named) -> logging.LogRecord:
        record = factory(*arguments, **named)
        record.msg, record.args = redacted(record.getMessage()), ()
        return record

    sys.stdout, sys.stderr = map(_Redacting, streams)
    logging.setLogRecordFactory(redacted_record)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        logging.setLogRecordFactory(factory)


def print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What `sys.excepthook` does, without a token."""
    import traceback

    print(redacted("".join(traceback.format_exception(kind, error, trace))), file=sys.stderr, end="")


class _Redacting:
    """A text stream, each write of which is redacted, and never fails on a character that the terminal does not have."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(redacted(text).encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


@lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern | None:
    forms = [form for secret in sorted(secrets, key=len, reverse=True) for form in _forms(secret)]
    return re.compile("|".join(forms), re.IGNORECASE) if forms else None


def _forms(secret: str) -> Iterator[str]:
    yield "".join(
        rf"(?:{re.escape(letter)}|%{ord(letter):02x}|\\x{ord(letter):02x}|\\u{ord(letter):04x}|&#{ord(letter)};|&#x{ord(letter):x};)"
        for letter in secret
    )
    data = secret.encode()
    yield data.hex()
    for before in range(3):  # bytes, modulo 3, that stand before it in what was encoded
        encoded = base64.b64encode(bytes(before) + data).decode()
        whole = encoded[
            -(-8 * before // 6) : 8 * (before + len(data)) // 6
        ]  # its first and last letters depend on the neighbors
        yield "".join({"+": "[+-]", "/": "[/_]"}.get(letter, letter) for letter in whole)
