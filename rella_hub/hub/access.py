"""Who is asking: the token from the usual places, and what it may do, said before anything is sent.

The token comes from HF_TOKEN or from `hf auth login`, never from an option or a file of this project, and is never printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

from rella_hub.cli.redaction import redacted
from rella_hub.hub.client import hub_api
from rella_hub.hub.retry import retrying, status_of


def connect(namespace: str) -> HfApi:
    """A client that may write to `namespace`. ValueError saying which token or permission is missing."""
    if get_token() is None:
        raise ValueError(
            "There is no Hub token. Log in with `hf auth login`, or set HF_TOKEN to a token with write permission "
            f"for {namespace} (https://huggingface.co/settings/tokens)."
        )
    api = hub_api()
    with explained("The Hub", "answer who you are"):
        who = retrying("whoami", api.whoami)
    names = [who["name"], *(organization["name"] for organization in who.get("orgs", []))]
    if namespace not in names:
        raise ValueError(
            f"The Hub token is of {who['name']}, who may write to {', '.join(names)}, not to {namespace}. "
            "Push to another namespace, or with the token of somebody who may."
        )
    token = who.get("auth", {}).get("accessToken", {})
    if not _may_write(token, namespace):
        raise ValueError(
            f"The Hub token of {who['name']} lacks write permission for {namespace} (its role is {token.get('role')!r}). "
            "Make one with the role write, or a fine-grained one with repo.write, at https://huggingface.co/settings/tokens."
        )
    return api


def _may_write(token: dict, namespace: str) -> bool:
    if token.get("role") != "fineGrained":
        return token.get("role") in ("write", None)
    scoped = token.get("fineGrained", {}).get("scoped", [])
    return any(
        "repo.write" in scope.get("permissions", [])
        and (scope.get("entity", {}).get("name") or namespace).split("/")[0] == namespace
        for scope in scoped
    )


@contextmanager
def explained(what: str, doing: str) -> Iterator[None]:
    """Turn the client's errors into a sentence: what could not be done, and what to do about it."""
    try:
        yield
    except OfflineModeIsEnabled as error:
        raise ValueError(f"{what} could not {doing}: HF_HUB_OFFLINE is set, so nothing is sent. Unset it.") from error
    except HTTPError as error:
        raise ValueError(f"{what} could not {doing}: {_reason(error)}") from error


def _reason(error: HTTPError) -> str:
    said = redacted(getattr(error, "server_message", None) or (str(error).strip().splitlines() or [""])[-1])
    return {
        400: f"the Hub refuses what was sent ({said}).",
        401: "the Hub does not know the token. Log in anew with `hf auth login`, or set another HF_TOKEN.",
        403: f"the token lacks a permission ({said}). It needs write access to this repository.",
        404: "there is no such repository, or the token may not see it.",
        409: f"something of that name is there already ({said}).",
        412: "somebody else changed the repository in the meantime.",
        429: "the Hub asks for fewer requests, also after waiting. Run the same command again later; what is uploaded is kept.",
    }.get(
        status_of(error) if isinstance(error, HfHubHTTPError) else None,
        f"{said or type(error).__name__}. Run the same command again; what is uploaded already is not sent twice.",
    )
