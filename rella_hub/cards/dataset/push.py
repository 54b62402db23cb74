"""Tables and card → a Hub data set, in one commit: the repository then holds what the folder holds, and no config more."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from rella_hub.cards.dataset.arguments import PushArguments
from rella_hub.cards.dataset.card import current_tables
from rella_hub.cards.dataset.intact import as_built
from rella_hub.cards.dataset.render import render
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.publish import Repository, publish
from rella_hub.stages.arguments import FolderArguments
from rella_hub.tables import store


def _is_shard(path: str) -> bool:
    """Whether it is a file of a table, which a push may delete."""
    return re.fullmatch(r"[^/]+/\w+-\d{5}-of-\d{5}\.parquet", path) is not None


def push(where: FolderArguments, options: PushArguments) -> str | None:
    """The address of the commit, None where nothing had to change."""
    corpus = load_corpus(where.corpus)
    private = options.private or not (corpus.may_be_redistributed or options.permission)
    if private and not options.private:
        print(f"{corpus.name} is pushed privately: {corpus.terms} See --permission.", flush=True)
    names = current_tables(where)
    repo_id = f"{options.namespace}/{options.name or where.folder.resolve().name}"
    built = as_built(where.folder, names)
    files = built.files
    tag = options.revision_tag or f"data-{_version(where.folder, names)}"
    with TemporaryDirectory() as scratch:
        card = Path(scratch) / "README.md"
        card.write_text(_card(where.folder, corpus, names, repo_id, options), encoding="utf-8", newline="\n")
        repository = Repository(
            repo_id, "dataset", {**files, "README.md": card}, _is_shard, private, sha256=built.sha256
        )
        address = publish(repository, f"{corpus.name}: {len(names)} configs, {tag}", tag, options.dry_run)
    if options.collection and not options.dry_run:
        add_to_collection(options.collection, repo_id, "dataset")
    return address


def _card(folder: Path, corpus: Corpus, names: list[str], repo_id: str, options: PushArguments) -> str:
    return render(folder, corpus, names, repo_id, options.permission)


def _version(folder: Path, names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}:{store.content_hash(folder, name)}\n".encode())
    return digest.hexdigest()[:12]
