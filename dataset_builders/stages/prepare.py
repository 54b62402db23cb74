"""Raw files → users, items, interactions, samples."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from dataset_builders.cards.statistics import field_counts
from dataset_builders.corpora import Corpus, RawTables, load_corpus
from dataset_builders.raw.archive import RawFiles, open_raw
from dataset_builders.raw.download import download
from dataset_builders.stages.arguments import FolderArguments, RawArguments
from dataset_builders.tables import provenance, schema, splits, store
from dataset_builders.tables.histories import TIE_RULE, make_samples, sort_by_user_and_time

TABLES = ("users", "items", "interactions", "samples")
RULES_VERSION = 1  # rises when the same raw files would give other tables


def prepare(where: FolderArguments, source: RawArguments) -> None:
    corpus = load_corpus(where.corpus)
    with open_raw(_raw_path(corpus, source), corpus.files, corpus.archive) as raw:
        made_from = _made_from(corpus, raw, source.seed)
        standing = [name for name in TABLES if provenance.stands(where.folder, name, made_from, where.overwrite)]
        if len(standing) == len(TABLES):
            return
        _say_status(corpus, raw)
        tables = corpus.read(raw)
    _write(corpus, tables, where.folder, made_from, source.seed)


def _raw_path(corpus: Corpus, source: RawArguments) -> Path:
    if source.raw is not None:
        return Path(source.raw)
    folder = Path(source.raw_folder)
    return corpus.generate(folder) if corpus.generate else download(corpus.archive, folder)


def _made_from(corpus: Corpus, raw: RawFiles, seed: int) -> dict:
    return {
        "corpus": corpus.id,
        "raw_sha256": raw.sha256,
        "raw_status": raw.status,
        "rules": {
            "version": RULES_VERSION,
            "label": f"rating > {corpus.label_threshold:g}",
            "order": TIE_RULE,
            "minimum_history": corpus.minimum_history,
            "split": "global time, 80/10/10",
        },
        "seed": seed,
    }


def _say_status(corpus: Corpus, raw: RawFiles) -> None:
    if corpus.archive is None or raw.status == "official":
        return
    official = corpus.archive.sha256 or f"MD5 {corpus.archive.md5}"
    what = {
        "not official": f"is NOT the official {corpus.name} archive (SHA-256 {raw.sha256}, official {official})",
        "unverified": f"is an unpacked folder, which cannot be checked against the official {corpus.name} archive",
    }[raw.status]
    print(f"WARNING: {raw.path} {what}. It is used, and every table and card will say so.", file=sys.stderr, flush=True)


def _write(corpus: Corpus, tables: RawTables, folder: Path, made_from: dict, seed: int) -> None:
    interactions = sort_by_user_and_time(tables.interactions).with_columns(
        label=(pl.col("rating") > corpus.label_threshold).cast(pl.Int64)
    )
    samples = make_samples(interactions, corpus.minimum_history)
    if samples.is_empty():
        raise ValueError(
            f"No user has more than {corpus.minimum_history} ratings, so there is no sample to predict: {len(interactions)} ratings "
            f"by {interactions['user_id'].n_unique()} users were read."
        )
    by_split = splits.shuffle_train(splits.split_by_global_time(samples), seed)
    _print_counts(corpus, tables, interactions, by_split, made_from["raw_status"])

    def single(table: pl.DataFrame) -> dict:
        return {store.SINGLE_SPLIT: (len(table), [table.to_arrow()])}

    def text_features(table: pl.DataFrame, key: str):
        return schema.text_table(key, [name for name in table.columns if name != key])

    for name, key, table in (("users", "user_id", tables.users), ("items", "item_id", tables.items)):
        table = table.sort(key)
        schema.check_keys_unique(table.to_arrow(), key, name)
        store.write(folder, name, text_features(table, key), single(table), made_from)
    store.write(folder, "interactions", schema.INTERACTIONS, single(interactions), made_from)
    store.write(
        folder, "samples", schema.SAMPLES, {k: (len(v), [v.to_arrow()]) for k, v in by_split.items()}, made_from
    )


def _print_counts(corpus: Corpus, tables: RawTables, interactions: pl.DataFrame, by_split: dict, status: str) -> None:
    counts = {"interactions": len(interactions), "samples": sum(map(len, by_split.values()))}
    counts |= {split: len(rows) for split, rows in by_split.items()}
    print(f"{corpus.name}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    fields = field_counts(tables.users, tables.items, interactions["item_id"].unique())
    print("distinct values: " + ", ".join(f"{count:,} {column}" for column, count in fields.items()), flush=True)
    wrong = {name: (counts[name], rows) for name, rows in corpus.expected_rows.items() if counts[name] != rows}
    if wrong:
        name, (got, expected) = next(iter(wrong.items()))
        message = f"{got:,} {name}, the official {corpus.name} has {expected:,}"
        if status == "official":
            raise ValueError(message)
        print(f"WARNING: {message}.", file=sys.stderr, flush=True)
