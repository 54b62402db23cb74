"""A base model, an adapter or a CTR model by folder or Hub id: either way a local folder, downloaded once and verified.

Only what a model is loaded from comes down: configuration, tokenizer and safetensors. Pickled weights and code never do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from rella_hub.files.hashes import hash_file
from rella_hub.files.pointers import refuse_hollow
from rella_hub.hub.download import snapshot

FILES = ["*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]


def local_folder(name: str, revision: str | None = None, more: Sequence[str] = ()) -> Path:
    """The folder of a model. ValueError with the reason when there is neither such a folder nor such a model on the Hub.

    more: patterns of other files that a model of this kind is loaded from.
    """
    folder = Path(name)
    if not (name and folder.is_dir()):
        return snapshot(name, "model", [*FILES, *more], revision, ignore=["*/*"])
    require_no_revision(name, revision)
    refuse_hollow(sorted(path for pattern in (*FILES, *more) for path in folder.glob(pattern) if path.is_file()))
    return folder


def result_folder(
    name: str, revision: str | None, result: str, needed: Sequence[str], made_by: str, noun: str = "model"
) -> Path:
    """The folder of what was trained: `result` in a run folder, such a folder itself, or a Hub id. ValueError where it, or a file of it, is
    not there.

    needed: its files; made_by: how the sentence on a missing one ends, from behind the name of the file.
    """
    place = Path(name) / result if (Path(name) / result).is_dir() else Path(name)
    try:
        folder = local_folder(str(place), revision, more=needed)
    except ValueError as error:
        raise ValueError(
            f"The {noun} {name!r} is neither a folder here nor to be had from the Hub ({error})."
        ) from error
    missing = [file for file in needed if not (folder / file).is_file()]
    if missing:
        raise ValueError(f"{folder} has no {missing[0]}{made_by} <output_dir>/{result}.")
    return folder


def require_no_revision(name: str, revision: str | None) -> None:
    """ValueError: a folder is what it is, whatever revision was asked for."""
    if revision is not None:
        raise ValueError(
            f"{name} is a folder here, which has no revision {revision!r}: leave the revision out, or give the id of a repository on the "
            "Hub that no folder here has the name of."
        )


def configuration_folder(name: str, revision: str | None = None) -> Path:
    """As `local_folder`, with nothing downloaded but what says which model it is."""
    folder = Path(name)
    return folder if folder.is_dir() else snapshot(name, "model", ["*config.json"], revision, ignore=["*/*"])


def is_cached(name: str, revision: str) -> bool:
    """Whether a model of the Hub lies in the cache, which alone is looked at; a folder of this machine is none of the Hub."""
    if Path(name).exists():
        return False
    try:
        snapshot_download(name, revision=revision, allow_patterns=FILES, ignore_patterns=["*/*"], local_files_only=True)
    except (HFValidationError, LocalEntryNotFoundError, OSError):
        return False
    return True


def commit_of(folder: Path) -> str | None:
    """The Hub commit that a folder is the snapshot of, None for any other folder."""
    return folder.name if folder.parent.name == "snapshots" and len(folder.name) == 40 else None


def weights_hash(folder: Path) -> str | None:
    """What pins the weights wherever they lie: the hashes of the safetensors files; None where there are none."""
    files = sorted(folder.glob("*.safetensors"))
    return "sha256:" + "+".join(_sha256(path)[:16] for path in files) if files else None


def _sha256(path: Path) -> str:
    """Of a large file in the cache of the Hub the name of its blob, which was verified when it came."""
    blob = path.resolve().name
    return blob if path.is_symlink() and len(blob) == hashlib.sha256().digest_size * 2 else hash_file(path)
