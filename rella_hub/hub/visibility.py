"""What must be private stays so, also where somebody makes the repository public while a push is under way.

The Hub has no commit on condition of a visibility. So it is asked right before the commit and right after it, and a commit that turns out
to be public is taken back.
"""

from __future__ import annotations

from huggingface_hub import CommitOperationDelete, HfApi
from huggingface_hub.errors import HTTPError

from rella_hub.hub.access import explained
from rella_hub.hub.retry import retrying


def require_private(api: HfApi, repo_id: str, repo_type: str, private: bool) -> None:
    """ValueError where a repository is public and must be `private`, before anything in it can be seen."""
    if private and not _is_private(api, repo_id, repo_type):
        raise ValueError(
            f"{repo_id} was made public by somebody else while this push began or went on, and this push must be private. Nothing was sent "
            "that can be seen. Make it private on the Hub, and push again."
        )


def undo_if_public(api: HfApi, repo_id: str, repo_type: str, private: bool, sent: list[str]) -> None:
    """ValueError where a repository became public around the commit of the files `sent`; it is private again, or without them."""
    if not private or _is_private(api, repo_id, repo_type):
        return
    seen = f"{repo_id} was made public by somebody else while this push was under way, so what must be private could be seen."
    try:
        retrying(repo_id, lambda: api.update_repo_settings(repo_id, repo_type=repo_type, private=True))
        if _is_private(api, repo_id, repo_type):
            raise ValueError(
                f"{seen} It has been made private again. Find out who made it public before you push again."
            )
    except HTTPError:
        pass  # this token may not: then at least the files go
    deletions = [CommitOperationDelete(path) for path in sent]
    with explained(repo_id, "be made private again, nor its files deleted. DELETE IT ON THE HUB NOW"):
        retrying(
            repo_id,
            lambda: api.create_commit(repo_id, deletions, commit_message="Taken back", repo_type=repo_type),
        )
    raise ValueError(
        f"{seen} It could not be made private again; the files of this push are deleted, but ITS HISTORY STILL HOLDS THEM. Delete the "
        "repository on the Hub now."
    )


def _is_private(api: HfApi, repo_id: str, repo_type: str) -> bool:
    with explained(repo_id, "be asked whether it is private"):
        return bool(retrying(repo_id, lambda: api.repo_info(repo_id, repo_type=repo_type)).private)
