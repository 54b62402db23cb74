"""Whether an adapter belongs to the base that it is put on: proved, not to be proved, or contradicted.

An adapter of this project says in `base_model.json` which weights it was trained on, which proves it. Others name a folder or a Hub
id at most. What they name is compared, never opened.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rella_hub.hub.identity import TOKENIZER
from rella_hub.hub.models import local_folder
from rella_hub.tables.checked import read_object, shown

BASE_RECORD = "base_model.json"  # stands in an adapter's folder: what the adapter was trained on
HUB_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
SNAPSHOT = re.compile(r"models--([^/]+?)--([^/]+)/snapshots/([0-9a-f]{40})/?$")
COMMIT = re.compile(r"[0-9a-f]{40}")


def read_base_record(folder: Path) -> dict | None:
    """What an adapter of this project was trained on; None where no record stands beside it."""
    path = folder / BASE_RECORD
    if not path.is_file():
        return None
    record = read_object(path)
    for key, needed in (("name", True), ("revision", True), ("weights", False)):
        if not isinstance(record.get(key), str) and (needed or record.get(key) is not None):
            raise ValueError(
                f"{path} has {key}: {shown(record.get(key))}; expected what names and pins a base model. Get the adapter again."
            )
    return record


def doubt(
    base: dict, adapter: str, folder: Path, named: str | None, revision: str | None, any_base: bool = False
) -> str | None:
    """What cannot be proved of `base` (see `base_identity`) being the base of the adapter, in one sentence; None where it is proved.

    named, revision: the base that its adapter_config.json names. ValueError when it was trained on another base, unless `any_base`.
    """
    record = read_base_record(folder)
    given = base["name"]
    if record is not None:
        trained_on, why = f"{record['name']} ({record['revision']})", _other_than_recorded(base, record, folder)
        if why is None:
            return None
    elif not named:
        return f"The adapter {adapter!r} does not say what it was trained on. Its weights fit {given}; no more can be proved."
    else:
        contradicted, why = _compare(base, named, revision)
        if why is None:
            return None
        if not contradicted:
            return f"The adapter {adapter!r} names its base {shown(named)}; that it is {given} as it is now cannot be proved: {why}."
        trained_on = f"{shown(named)} ({revision or 'no revision'})"
    if any_base:
        return f"The adapter {adapter!r} was trained on {trained_on}, not on {given} ({why}): its scores may mean nothing (--any_base)."
    raise ValueError(
        f"The adapter {adapter!r} was trained on {trained_on}, the base given is {given} ({base['revision']}): {why}. Pass the base that "
        "it was trained on with --base; if you know that they are the same, --any_base true."
    )


def _other_than_recorded(base: dict, record: dict, folder: Path) -> str | None:
    """What `base` has another one of than the base of the record, in words; None where they are the same."""
    if record["revision"] == base["revision"] and COMMIT.fullmatch(base["revision"]):
        return None
    if _weights(base) is None or _weights(record) != _weights(base):
        return None if record["revision"] == base["revision"] else "other weights"
    own_tokenizer = any(path for pattern in TOKENIZER for path in folder.glob(pattern))  # told apart by what it reads
    for key in ("config",) if own_tokenizer else ("config", "tokenizer"):
        if record.get(key) not in (None, base.get(key)):  # None: written by a version that did not record it
            return f"the same weights with another {key}"
    return None


def _compare(base: dict, named: str, revision: str | None) -> tuple[bool, str | None]:
    """Whether what the adapter names contradicts `base`, and why; without a contradiction, why there is doubt, or None."""
    given = base["name"]
    here = _folder_of(base)
    if named == given or _same_folder(named, here):
        if COMMIT.fullmatch(revision or "") and COMMIT.fullmatch(base["revision"]):
            same = revision == base["revision"]
            return not same, None if same else "another revision"
        return False, "it says no hash of the weights"
    (repository, commit), (named_repository, named_commit) = _repository(str(here or given)), _repository(named)
    if repository and repository == named_repository:
        pinned = named_commit or (revision if COMMIT.fullmatch(revision or "") else None)
        if commit is None or pinned is None:
            return False, "it says no commit"
        return commit != pinned, None if commit == pinned else "another revision"
    if Path(given).is_dir() and repository is None and named_repository and not os.path.isdir(named):  # noqa: PTH112
        return False, "the base given is a folder, which says no Hub id"
    return True, "another name"


def _folder_of(base: dict) -> Path | None:
    """The folder that the base is loaded from."""
    try:
        return local_folder(base["name"], base["revision"] if COMMIT.fullmatch(base["revision"]) else None)
    except ValueError:
        return None


def _same_folder(named: str, folder: Path | None) -> bool:
    try:
        return folder is not None and os.path.samefile(os.path.expanduser(named), folder)  # noqa: PTH111, PTH121
    except (OSError, ValueError):  # no such file, a name that is too long, a name with a zero byte
        return False


def _repository(name: str) -> tuple[str | None, str | None]:
    """Hub id and commit that a name stands for: a Hub id itself, or the folder of a snapshot in a cache of the Hub."""
    snapshot = SNAPSHOT.search(name)
    if snapshot:
        return f"{snapshot[1]}/{snapshot[2]}", snapshot[3]
    return (name, None) if HUB_ID.fullmatch(name) and not os.path.isdir(name) else (None, None)  # noqa: PTH112


def _weights(identity: dict) -> str | None:
    """The hash of a base model's weights, as far as its record knows it."""
    in_folder = identity["revision"] if identity["revision"].startswith("sha256:") else None
    return identity.get("weights") or in_folder
