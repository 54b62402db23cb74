"""Texts of items and of users → vectors, for recommenders that read texts: mean-pooled hidden states of unit length.

Source: SLIM (arXiv 2403.04260), equations of its text encoder (BERT). Pooling is not stated there; ours is the mean of the last hidden
states. What a text holds beyond the encoder's longest input is cut at the end and counted: the third step of a long rationale goes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from rella_hub.corpora import load_corpus
from rella_hub.language_models.room import longest_input
from rella_hub.stages.arguments import THIS_PROCESS, EncoderArguments, FolderArguments
from rella_hub.stages.chunks.processes import processes
from rella_hub.stages.embed import DESCRIPTION_VERSION
from rella_hub.stages.encode import encode_in_chunks, remove_chunks
from rella_hub.stages.rationales.arguments import RationaleArguments, TextArguments
from rella_hub.stages.rationales.questions import asked
from rella_hub.tables import rationales, records, store, text_vectors
from rella_hub.vectors.encode import Encoder, encoder_revision, load_encoder
from rella_hub.vectors.reduce import normalize

STEP = "_step"


@dataclass(frozen=True)
class Texts:
    """What is encoded: a text for each key."""

    key_name: str
    key: np.ndarray
    position: np.ndarray
    texts: list[str]
    inputs: list[str]  # the tables that they come from
    settings: dict


def embed_texts(where: FolderArguments, options: TextArguments) -> None:
    for texts in dict.fromkeys(options.texts):
        _embed(where, options, texts)


def _embed(where: FolderArguments, options: TextArguments, texts: str) -> None:
    found, name = _texts(where.folder, where.corpus, options, texts), text_vectors.table_of(texts)
    made_from = {
        "corpus": where.corpus,
        "inputs": records.input_fingerprints(where.folder, found.inputs),
        "encoder": Path(options.encoder).resolve().name if Path(options.encoder).is_dir() else options.encoder,
        "encoder_revision": encoder_revision(options.encoder, options.encoder_revision),
        **found.settings,
    }
    output, group = where.folder / name, processes()
    if records.stands(where.folder, name, made_from, where.overwrite):
        return
    whole, cut = _within(load_encoder(options.encoder, options.encoder_revision), found.texts)
    encoding = EncoderArguments(options.encoder, options.encoder_revision, 1, options.encoder_batch_size)
    encoded = encode_in_chunks(output, made_from, whole, encoding, THIS_PROCESS, group, where.overwrite)
    if encoded is None:
        return  # the first process has them
    vectors, _ = normalize(encoded)
    lists = pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])
    table = pa.table({found.key_name: found.key, "position": found.position, "vector": lists})
    features = text_vectors.schema(vectors.shape[1], found.key_name)
    store.write(where.folder, name, features, {store.SINGLE_SPLIT: table}, made_from, {"cut": cut})
    remove_chunks(output)
    ends = f", {cut:,} of them cut at the encoder's longest input" if cut else ""
    print(f"{output}: {len(whole):,} texts, {vectors.shape[1]} dimensions{ends}.", flush=True)


def _texts(folder: Path, corpus_id: str, options: TextArguments, texts: str) -> Texts:
    corpus = load_corpus(corpus_id)
    if texts == text_vectors.ITEMS:
        items = store.frame(folder, "items").sort("item_id")
        key, described = items["item_id"].to_numpy(), corpus.words.description(items).to_list()
        settings = {"description_version": DESCRIPTION_VERSION}
        return Texts("item_id", key, np.zeros(len(key), np.int32), described, ["items"], settings)
    if texts == text_vectors.TITLES:
        about = asked(folder, corpus, RationaleArguments(shown=options.shown, written_at=options.written_at))
        listed = ["; ".join(about.titles[rows]) for rows in about.rows]
        inputs = ["items", "interactions", "samples"]
        return Texts(
            "user_id",
            about.user_id,
            about.position,
            listed,
            inputs,
            {"shown": options.shown, "written_at": options.written_at},
        )
    name, _, step = texts.partition(STEP)
    if step not in ("", "1", "2", "3"):
        raise ValueError(f"--texts {texts}: a rationale has the steps 1, 2 and 3. Give such as {name}{STEP}1.")
    found = rationales.read(folder, name).sort("user_id")
    column = (
        found[f"step_{step}"] if step else found.select(pl.concat_str(rationales.STEPS, separator="\n")).to_series()
    )
    keys = found["user_id"].to_numpy(), found["position"].to_numpy()
    return Texts("user_id", *keys, column.to_list(), [rationales.table_of(name)], {"step": int(step or 0)})


def _within(encoder: Encoder, texts: list[str]) -> tuple[list[str], int]:
    """The texts as far as the encoder can read them, and how many were cut."""
    longest = longest_input(encoder.model) or getattr(encoder.model.config, "max_position_embeddings", None)
    if longest is None:
        return texts, 0
    tokenizer, whole, cut = encoder.tokenizer, list(texts), 0
    for number, ids in enumerate(tokenizer(texts)["input_ids"]):
        if len(ids) > longest:
            read = tokenizer(texts[number], truncation=True, max_length=longest, return_offsets_mapping=True)
            whole[number], cut = texts[number][: max(end for _, end in read["offset_mapping"])], cut + 1
    return whole, cut
