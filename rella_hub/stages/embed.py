"""Items → item_vectors: describe, encode, reduce, normalize. Source: ReLLa, section 3.2."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from rella_hub.corpora import load_corpus
from rella_hub.files import ownership
from rella_hub.stages.arguments import (
    THIS_PROCESS,
    USUAL_VECTORS,
    EncoderArguments,
    EngineArguments,
    FolderArguments,
    VectorArguments,
)
from rella_hub.stages.chunks.processes import processes
from rella_hub.stages.configs import check_variant
from rella_hub.stages.encode import encode_in_chunks, estimate, remove_chunks
from rella_hub.stages.writing import ENCODER_NOTE
from rella_hub.tables import records, schema, store
from rella_hub.vectors.encode import encoder_revision
from rella_hub.vectors.reduce import normalize, reduce
from rella_hub.views import vectors_table

DESCRIPTION_VERSION = 1


def embed(
    where: FolderArguments,
    options: EncoderArguments,
    variant: VectorArguments = USUAL_VECTORS,
    engine: EngineArguments = THIS_PROCESS,
    dry_run: bool = False,
) -> None:
    """dry_run: say what it would cost, and write nothing."""
    check_variant(variant)
    name = vectors_table(variant.vectors)
    if options.dimension < 1:
        raise ValueError(f"--dimension is {options.dimension}; at least 1 is needed.")
    corpus = load_corpus(where.corpus)
    made_from = {
        "corpus": corpus.id,
        "inputs": records.input_fingerprints(where.folder, ["items"]),
        "encoder": Path(options.encoder).resolve().name if Path(options.encoder).is_dir() else options.encoder,
        "encoder_revision": encoder_revision(options.encoder, options.encoder_revision),
        "description_version": DESCRIPTION_VERSION,
        "dimension": options.dimension,
    }
    output, group = where.folder / name, processes()
    if not dry_run and records.stands(where.folder, name, made_from, where.overwrite):
        if group.is_first:
            remove_chunks(output)  # a run that was killed just before its end leaves them
        return
    items = store.frame(where.folder, "items")
    texts = corpus.words.description(items).to_list()
    if dry_run:
        estimate(texts, options).say()
        return
    encoded = encode_in_chunks(output, made_from, texts, options, engine, group, where.overwrite)
    if encoded is None:
        return  # another process has them
    vectors, norms = normalize(reduce(encoded, options.dimension))
    table = pa.table(
        {
            "item_id": items["item_id"].to_arrow(),
            "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
            "norm": norms,
        }
    )
    store.write(
        where.folder,
        name,
        schema.item_vectors(vectors.shape[1]),
        {store.SINGLE_SPLIT: table},
        made_from,
    )
    remove_chunks(output)
    _remember_folder(where.folder, options.encoder)
    print(
        f"{where.folder / name}: {len(items):,} items, {vectors.shape[1]} dimensions, {options.encoder}.",
        flush=True,
    )


def _remember_folder(folder: Path, encoder: str) -> None:
    """Where an encoder lies on this machine is kept beside the tables, for the card to count tokens, and never published."""
    if Path(encoder).is_dir():
        with ownership.writing_file(folder / store.ENCODER_FOLDER, ENCODER_NOTE, overwrite=True) as note:
            note.write_text(str(Path(encoder).resolve()), encoding="utf-8")
    else:
        ownership.remove(folder, ENCODER_NOTE, [store.ENCODER_FOLDER])
