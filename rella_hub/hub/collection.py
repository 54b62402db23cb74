"""A Hub collection ties data sets, adapters and metrics together; a title stands for one collection of a namespace."""

from __future__ import annotations

from typing import Literal

from rella_hub.hub.access import connect, explained
from rella_hub.hub.retry import retrying


def add_to_collection(title: str, repo_id: str, repo_type: Literal["model", "dataset", "space"]) -> None:
    """Put a repository into the collection `title` of its namespace, which is made where there is none."""
    namespace = repo_id.split("/")[0]
    api = connect(namespace)
    with explained(f"The collection {title!r}", f"take {repo_id}"):
        collection = retrying(title, lambda: api.create_collection(title, namespace=namespace, exists_ok=True))
        retrying(title, lambda: api.add_collection_item(collection.slug, repo_id, item_type=repo_type, exists_ok=True))
    print(f"collection {collection.slug}: holds {repo_type} {repo_id}.", flush=True)
