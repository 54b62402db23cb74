"""Publish a repository in one commit: a reader sees the release before it or the release after it, never half of one.

Large files are uploaded first, one after the other; until the commit nobody sees them, and a run that broke off does not send them
again. The commit names the one it was planned against, so of two pushes at a time one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.errors import HfHubHTTPError, HTTPError
from tqdm import tqdm

from rella_hub.hub import visibility
from rella_hub.hub.access import connect, explained
from rella_hub.hub.client import hub_api
from rella_hub.hub.plan import Plan, make_plan
from rella_hub.hub.retry import retrying, status_of
from rella_hub.hub.sending import private_copy

TAG = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Repository:
    """What is to stand on the Hub."""

    id: str
    type: str  # dataset, model or space
    files: Mapping[str, Path]  # path in the repository -> local file
    is_ours: Callable[[str], bool]  # whether a file there that is not in `files` may be deleted
    private: bool = False
    space_sdk: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)  # path in the repository -> hash of what was checked

    @property
    def namespace(self) -> str:
        return self.id.split("/")[0]


def publish(repository: Repository, message: str, tag: str | None = None, dry_run: bool = False) -> str | None:
    """The address of the commit, None where nothing had to change or nothing was to be changed.

    ValueError when a token or permission is missing, when the repository is public and must not be, when somebody else changed it
    in the meantime, or when `tag` stands at another commit.
    """
    if "/" not in repository.id:
        raise ValueError(f"{repository.id!r} is no Hub id. Give namespace/name, such as rella/ml1m.")
    if tag is not None and not TAG.fullmatch(tag):
        raise ValueError(
            f"--revision_tag is {tag!r}; a tag has letters, digits, dots, dashes and underscores, such as v1.0."
        )
    api = hub_api() if dry_run else connect(repository.namespace)
    with explained(repository.id, "be read"):
        plan = make_plan(api, repository.id, repository.type, repository.files, repository.is_ours)
    _check_privacy(repository, plan)
    _say(repository, plan)
    if dry_run:
        print("dry run: nothing was sent.", flush=True)
        return None
    address = None
    if not plan.is_empty:
        address = _commit(api, repository, plan, message)
    if tag is not None:
        _tag(api, repository, tag)
    print(address or f"{repository.id}: nothing to change.", flush=True)
    return address


def _check_privacy(repository: Repository, plan: Plan) -> None:
    if repository.private and plan.private is False:
        raise ValueError(
            f"{repository.id} is public, and this push must be private. Make it private on the Hub first, push to another "
            "--namespace, or state the permission that you hold (--permission)."
        )


def _say(repository: Repository, plan: Plan) -> None:
    if plan.head is None and get_token() is None:
        state = "not there, or private and not to be seen without a token"
    elif plan.head is None:
        state = f"a new {'private' if repository.private else 'public'} repository"
    else:
        state = f"{'private' if plan.private else 'public'}, at {plan.head[:12]}"
    print(
        f"{repository.type} {repository.id} ({state}): {len(plan.added)} files to add, {len(plan.changed)} to change, "
        f"{len(plan.deleted)} to delete, {plan.unchanged} unchanged; {plan.bytes / 1e6:,.1f} MB to compare or send.",
        *plan.lines(),
        sep="\n",
        flush=True,
    )


def _commit(api: HfApi, repository: Repository, plan: Plan, message: str) -> str:
    head = plan.head
    if head is None:
        with explained(repository.id, "be created"):
            head = _create(api, repository)
    with TemporaryDirectory(prefix="rella-push-") as scratch:
        with explained(repository.id, "be uploaded"):
            additions = _upload(api, repository, plan, Path(scratch))
        operations = [*additions, *(CommitOperationDelete(path) for path in plan.deleted)]
        visibility.require_private(api, repository.id, repository.type, repository.private)
        with explained(repository.id, "be committed"):
            try:
                made = retrying(
                    repository.id,
                    lambda: api.create_commit(
                        repository.id,
                        operations,
                        commit_message=message,
                        repo_type=repository.type,
                        parent_commit=head,
                    ),
                )
                address = str(made.commit_url)
            except HfHubHTTPError as error:
                if status_of(error) not in (409, 412):
                    raise
                address = _settle_conflict(api, repository, error)
    visibility.undo_if_public(api, repository.id, repository.type, repository.private, sorted(plan.uploads))
    return address


def _create(api: HfApi, repository: Repository) -> str:
    retrying(
        repository.id,
        lambda: api.create_repo(
            repository.id,
            repo_type=repository.type,
            private=repository.private,
            space_sdk=repository.space_sdk,
            exist_ok=True,
        ),
    )
    visibility.require_private(api, repository.id, repository.type, repository.private)
    made = retrying(repository.id, lambda: api.repo_info(repository.id, repo_type=repository.type))
    return str(made.sha)


def _upload(api: HfApi, repository: Repository, plan: Plan, scratch: Path) -> list[CommitOperationAdd]:
    """Send what is large, file by file: each one that arrived is there for good, whatever happens to the next.

    Every file is sent from a copy in `scratch`, which nobody changes between the check and the sending.
    """
    additions = []
    with tqdm(total=plan.bytes, unit="B", unit_scale=True, desc=repository.id) as bar:
        for number, (path, local) in enumerate(sorted(plan.uploads.items())):
            copy = scratch / str(number)
            sha256 = private_copy(local, copy)
            if repository.sha256.get(path, sha256) != sha256:
                raise ValueError(
                    f"{local} was changed while it was being pushed. Nothing of this push can be seen. Push again."
                )
            addition = CommitOperationAdd(path, str(copy))
            try:
                retrying(
                    addition.path_in_repo,
                    lambda addition=addition: api.preupload_lfs_files(
                        repository.id, [addition], repo_type=repository.type, free_memory=False
                    ),
                )
            except RuntimeError as error:  # the client has sent the file again and again, and wraps the last failure
                raise (error.__cause__ if isinstance(error.__cause__, HTTPError) else error) from error
            bar.update(addition.upload_info.size)
            additions.append(addition)
            if addition._upload_mode == "lfs":  # it is there; of the others, the commit holds the bytes
                copy.unlink()
    return additions


def _settle_conflict(api: HfApi, repository: Repository, error: HfHubHTTPError) -> str:
    """A commit whose answer was lost is refused when it is sent again: if the Hub holds what was to be sent, all is well."""
    now = make_plan(api, repository.id, repository.type, repository.files, repository.is_ours)
    if now.is_empty:
        return f"{api.endpoint}/{'' if repository.type == 'model' else repository.type + 's/'}{repository.id}/commit/{now.head}"
    raise ValueError(
        f"Somebody else changed {repository.id} while this push was under way (it is at {str(now.head)[:12]} now). Nothing of this "
        "push can be seen. Look at what is there, and push again."
    ) from error


def _tag(api: HfApi, repository: Repository, tag: str) -> None:
    with explained(f"{repository.id}, tag {tag},", "be set"):
        info = retrying(repository.id, lambda: api.repo_info(repository.id, repo_type=repository.type))
        refs = retrying(repository.id, lambda: api.list_repo_refs(repository.id, repo_type=repository.type))
        standing = {ref.name: ref.target_commit for ref in refs.tags}
        if standing.get(tag) == info.sha:
            return
        if tag in standing:
            raise ValueError(
                f"{repository.id} has the tag {tag} at {standing[tag][:12]}, and a version that is published stays what it is. "
                "The files are pushed; give them another --revision_tag."
            )
        retrying(
            repository.id,
            lambda: api.create_tag(repository.id, tag=tag, revision=info.sha, repo_type=repository.type),
        )
    print(f"{repository.id}: tag {tag}.", flush=True)
