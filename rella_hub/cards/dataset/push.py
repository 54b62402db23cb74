"""Tables and card → a Hub data set, in one commit: the repository then holds what the folder holds, and no config more."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rella_hub.cards.dataset.card import current_tables
from rella_hub.cards.dataset.intact import as_built
from rella_hub.cards.dataset.render import render
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.publish import Repository, publish
from rella_hub.stages.arguments import FolderArguments
from rella_hub.tables import store

SHARD = re.compile(r"[^/]+/\w+-\d{5}-of-\d{5}\.parquet")  # what a push may delete: a file of a table


@dataclass(frozen=True)
class PushArguments:
    namespace: str = field(default="rella", metadata={"help": "User or organization of the Hub to push to."})
    name: str | None = field(
        default=None, metadata={"help": "Name of the repository. Default: that of the data set folder."}
    )
    private: bool = field(
        default=False, metadata={"help": "Push to a private repository. So it is where the corpus's terms forbid more."}
    )
    permission: str | None = field(
        default=None,
        metadata={
            "help": "Your statement that the publisher permits you to redistribute, such as who permitted it and when; it is printed "
            "on the card. Needed to push a corpus publicly whose terms forbid that."
        },
    )
    revision_tag: str | None = field(
        default=None, metadata={"help": "Tag of this version. Default: data-<hash of the tables>."}
    )
    collection: str | None = field(
        default=None,
        metadata={"help": "Title of a collection of the namespace that takes the data set, such as ReLLa."},
    )
    dry_run: bool = field(default=False, metadata={"help": "Print what would change on the Hub, and send nothing."})


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
            repo_id, "dataset", {**files, "README.md": card}, SHARD.fullmatch, private, sha256=built.sha256
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
