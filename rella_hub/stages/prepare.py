"""Raw files → users, items, interactions, samples."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import polars as pl

from rella_hub.cli import refuse_without
from rella_hub.corpora import Corpus, RawTables, load_corpus
from rella_hub.corpora.raw.archive import RawFiles, open_raw
from rella_hub.corpora.raw.download import download
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.likeness import differing_counts, likeness
from rella_hub.tables import records, schema, store
from rella_hub.tasks import load_protocol, next_item_of

TABLES = ("users", "items", "interactions", "samples")


def prepare(where: FolderArguments, source: RawArguments) -> None:
    corpus = load_corpus(where.corpus)
    if source.seed < 0:
        raise ValueError(f"--seed is {source.seed}; a whole number from 0 is needed.")
    protocol = task_of(corpus, source.task)
    corpus = _as_asked(corpus, protocol)
    threshold = _threshold(corpus, source.label_threshold)
    reexport = corpus.reexport
    with open_raw(_raw_path(corpus, source), corpus.files, corpus.archive, reexport.files if reexport else None) as raw:
        made_from = _made_from(corpus, raw, source.seed, threshold, protocol)
        standing = [name for name in TABLES if records.stands(where.folder, name, made_from, where.overwrite)]
        if len(standing) == len(TABLES):
            return
        _say_status(corpus, raw)
        tables = (reexport.read if reexport and raw.status == "re-export" else corpus.read)(raw)
        _write(corpus, tables, raw, where.folder, made_from, threshold)


def task_of(corpus: Corpus, asked: str | None) -> str:
    """The task that is asked for, else the usual one; ValueError where it is none of the corpus."""
    if asked is not None and asked not in corpus.tasks:
        raise ValueError(f"--task is {asked!r}, but the tasks of {corpus.name} are {', '.join(corpus.tasks)}.")
    return asked or corpus.tasks[0]


def _as_asked(corpus: Corpus, task: str) -> Corpus:
    """The corpus as a task takes it: the counts that are known of it, the task's own minimum, and for next items no label."""
    usual = corpus.expected_rows
    if task != corpus.tasks[0]:  # whose samples are not those that the corpus tells of
        usual = {name: rows for name, rows in usual.items() if name in TABLES and name != "samples"}
    corpus = replace(corpus, expected_rows=corpus.expected_of_task.get(task, usual))
    asked = next_item_of(task)
    if asked:
        return replace(corpus, label_threshold=None, minimum_history=asked.minimum_history)
    minimum_history = getattr(load_protocol(task), "MINIMUM_HISTORY", corpus.minimum_history)
    return replace(corpus, minimum_history=minimum_history)


def _threshold(corpus: Corpus, asked: float | None) -> float | None:
    if corpus.rating_range is None or corpus.label_threshold is None:
        if asked is not None:
            why = "has no ratings" if corpus.rating_range is None else "is asked for next items, which have no label"
            raise ValueError(f"--label_threshold is {asked:g}, but {corpus.name} {why}. Leave it out.")
        return None
    low, high = corpus.rating_range
    if asked is not None and not low <= asked < high:
        raise ValueError(
            f"--label_threshold is {asked:g}, but ratings of {corpus.name} go from {low:g} to {high:g}: one label would be empty."
        )
    return corpus.label_threshold if asked is None else asked


def _raw_path(corpus: Corpus, source: RawArguments) -> Path:
    if source.raw is not None:
        refuse_without("a download (no --raw)", source, ["raw_folder"])
        return Path(source.raw)
    folder = Path(source.raw_folder)
    if corpus.generate:
        return corpus.generate(folder)
    assert corpus.archive is not None, f"{corpus.id} has neither a generator nor an archive"
    return download(corpus.archive, folder)


def _made_from(corpus: Corpus, raw: RawFiles, seed: int, threshold: float | None, task: str) -> dict:
    protocol = load_protocol(task)
    return {
        "corpus": corpus.id,
        "raw_sha256": raw.sha256,
        "raw_status": raw.status,
        "rules": {
            "version": corpus.rules_version,
            "label": store.NO_LABEL if threshold is None else f"rating > {threshold:g}",
            "order": protocol.ORDER,
            "minimum_history": corpus.minimum_history,
            "protocol": task,
            "split": protocol.SPLIT,
        },
        "seed": seed,
    }


def _say_status(corpus: Corpus, raw: RawFiles) -> None:
    if corpus.archive is None or raw.status == "official":
        return
    official = corpus.archive.sha256 or f"MD5 {corpus.archive.md5}"
    source = corpus.reexport.source if corpus.reexport else ""
    what = {
        "not official": f"is NOT the official {corpus.name} archive (SHA-256 {raw.sha256}, official {official})",
        "unverified": f"cannot be checked against the official {corpus.name}: "
        + ("its publisher gives no checksum" if corpus.archive.checksum is None else "it is an unpacked folder"),
        "re-export": f"is not checked: no official checksum can vouch for {source}",
    }[raw.status]
    print(f"WARNING: {raw.path} {what}. It is used, and every table and card will say so.", file=sys.stderr, flush=True)


def _write(
    corpus: Corpus, tables: RawTables, raw: RawFiles, folder: Path, made_from: dict, threshold: float | None
) -> None:
    protocol, seed = load_protocol(made_from["rules"]["protocol"]), made_from["seed"]
    liked = pl.lit(None) if threshold is None else pl.col("rating") > threshold
    interactions = protocol.order(tables.interactions, seed).with_columns(label=liked.cast(pl.Int8))
    dropped = dict(tables.dropped)
    if len(interactions) < len(tables.interactions):  # a task may take some of them for no interactions
        rule = f"interactions rated below {protocol.NEXT_ITEM.lowest_rating:g}, which are none to this task"
        dropped[rule] = len(tables.interactions) - len(interactions)
    samples = protocol.samples(interactions, corpus.minimum_history)
    if samples.is_empty():
        noun = "interactions" if threshold is None else "ratings"
        raise ValueError(
            f"No user has more than {corpus.minimum_history} {noun}, so there is no sample to predict: {len(interactions)} {noun} "
            f"by {interactions['user_id'].n_unique()} users were read."
        )
    by_split = protocol.split(samples, seed)
    counts = {"users": len(tables.users), "items": len(tables.items), "interactions": len(interactions)}
    counts |= {"samples": len(samples)} | {split: len(rows) for split, rows in by_split.items()}
    _print_counts(corpus, replace(tables, dropped=dropped), interactions, counts, made_from["raw_status"])
    noted = {"dropped": dropped, "odd": tables.odd, "likeness": likeness(corpus, counts, raw)}
    if raw.status != "official" and noted["likeness"] and not differing_counts(corpus, counts):
        print(noted["likeness"], file=sys.stderr, flush=True)
    for name, key, table in (("users", "user_id", tables.users), ("items", "item_id", tables.items)):
        table = table.sort(key).to_arrow()
        schema.check_keys_unique(table, key, name)
        features = schema.text_table(key, [column for column in table.column_names if column != key])
        store.write(folder, name, features, {store.SINGLE_SPLIT: table}, made_from)
    whole = {
        store.SINGLE_SPLIT: interactions.select(list(schema.INTERACTIONS)).to_arrow()
    }  # no column of the protocol's own
    store.write(folder, "interactions", schema.INTERACTIONS, whole, made_from, noted)
    store.write(folder, "samples", schema.SAMPLES, {k: rows.to_arrow() for k, rows in by_split.items()}, made_from)


def _print_counts(corpus: Corpus, tables: RawTables, interactions: pl.DataFrame, counts: dict, status: str) -> None:
    print(f"{corpus.name}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    for reason, count in tables.dropped.items():
        print(f"left out: {count:,} {reason}")
    fields = field_counts(tables.users, tables.items, interactions["item_id"].unique())
    print("distinct values: " + ", ".join(f"{count:,} {column}" for column, count in fields.items()), flush=True)
    for what, count in tables.odd.items():
        print(f"WARNING: {count:,} {what}. They are used as they stand.", file=sys.stderr, flush=True)
    for name, (got, expected) in differing_counts(corpus, counts).items():
        message = f"{got:,} {name}, the official {corpus.name} has {expected:,}"
        if status == "official":
            raise ValueError(message)
        print(f"WARNING: {message}.", file=sys.stderr, flush=True)


def field_counts(users: pl.DataFrame, items: pl.DataFrame, rated: pl.Series) -> dict[str, int]:
    """The number of distinct values of each field of the users and of the items that were rated."""
    rated_items = items.filter(pl.col("item_id").is_in(rated.implode()))
    return {column: int(table[column].n_unique()) for table in (users, rated_items) for column in table.columns}
