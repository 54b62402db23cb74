"""What a push would change: local files against those of the repository, by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile

from rella_hub.files.hashes import git_hash, hash_file
from rella_hub.hub.retry import retrying


@dataclass(frozen=True)
class Plan:
    """`head` is the commit that it was made against, None for a repository that is not there yet."""

    head: str | None
    private: bool | None
    added: dict[str, Path]  # path in the repository -> local file
    changed: dict[str, Path]
    deleted: tuple[str, ...]
    unchanged: int

    @property
    def uploads(self) -> dict[str, Path]:
        return {**self.added, **self.changed}

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.changed or self.deleted)

    @property
    def bytes(self) -> int:
        return sum(path.stat().st_size for path in self.uploads.values())

    def lines(self) -> list[str]:
        """The plan in words, a line for each file that changes."""
        marks = (("+", self.added), ("~", self.changed), ("-", self.deleted))
        return [f"  {mark} {path}" for mark, paths in marks for path in sorted(paths)]


def make_plan(
    api: HfApi, repo_id: str, repo_type: str, files: Mapping[str, Path], is_ours: Callable[[str], bool]
) -> Plan:
    """Compare `files` with the head of the repository. A file there that is `is_ours` and not in `files` is to be deleted."""
    try:
        info = retrying(repo_id, lambda: api.repo_info(repo_id, repo_type=repo_type))
    except RepositoryNotFoundError:
        return Plan(None, None, dict(files), {}, (), 0)
    entries = retrying(
        repo_id,
        lambda: list(api.list_repo_tree(repo_id, recursive=True, repo_type=repo_type, revision=info.sha)),
    )
    there = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    changed = {path: local for path, local in files.items() if path in there and not _same(there[path], local)}
    return Plan(
        head=info.sha,
        private=info.private,
        added={path: local for path, local in files.items() if path not in there},
        changed=changed,
        deleted=tuple(sorted(path for path in there if path not in files and is_ours(path))),
        unchanged=sum(path in there for path in files) - len(changed),
    )


def _same(entry: RepoFile, local: Path) -> bool:
    if entry.size != local.stat().st_size:
        return False
    if entry.lfs is not None:
        return entry.lfs.sha256 == hash_file(local)
    return entry.blob_id == git_hash(local)
