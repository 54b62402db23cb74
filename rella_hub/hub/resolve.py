"""A data set by folder or by Hub id: either way a local folder of tables."""

from __future__ import annotations

from pathlib import Path

from rella_hub.hub.models import require_no_revision
from rella_hub.tables import store


def resolve(dataset: str, tables: list[str], revision: str | None = None) -> Path:
    """The folder that holds `tables` of a data set. A Hub id is downloaded, only these tables, once.

    ValueError when there is neither such a folder nor such a Hub data set, or when it lacks a table.
    """
    local = bool(dataset) and Path(dataset).is_dir()
    if local:
        require_no_revision(dataset, revision)
    folder = Path(dataset) if local else _download(dataset, tables, revision)
    missing = [name for name in tables if not store.table_splits(folder, name)]
    if missing and local and any(folder.glob("*.safetensors")):
        raise ValueError(f"{dataset} holds a model, not a data set. Give the folder or Hub id of a data set.")
    if missing:
        names = store.table_names(folder) if local else _tables_on_hub(dataset, revision)
        raise ValueError(
            f"{dataset} has no {missing[0]!r}. It has: {', '.join(names) or 'nothing'}. Build what is missing "
            f"with python dataset_builders/release.py, for instance with another --history_length."
        )
    return folder


def _download(dataset: str, tables: list[str], revision: str | None) -> Path:
    from rella_hub.hub.download import snapshot

    try:
        return snapshot(dataset, "dataset", ["README.md", *(f"{table}/*" for table in tables)], revision)
    except ValueError as error:
        corpus = dataset.rstrip("/").rsplit("/", 1)[-1]
        raise ValueError(
            f"The data set {dataset!r} is neither a folder here nor to be had from the Hub ({error}). "
            f"Build it: python dataset_builders/release.py --corpus {corpus}"
        ) from error


def _tables_on_hub(dataset: str, revision: str | None) -> list[str]:
    from huggingface_hub.errors import HTTPError

    from rella_hub.hub.client import hub_api

    try:
        files = hub_api().list_repo_files(dataset, repo_type="dataset", revision=revision)
    except (HTTPError, OSError):  # offline: what it has cannot be asked
        return []
    return sorted({path.split("/")[0] for path in files if path.endswith(".parquet") and "/" in path})
