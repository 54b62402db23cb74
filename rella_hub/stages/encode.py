"""Item descriptions → the vectors of an encoder, chunk by chunk: a large one takes an hour, and an hour is not lost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from rella_hub.language_models.measured import footprint, measured
from rella_hub.stages.arguments import EncoderArguments, EngineArguments
from rella_hub.stages.chunks.parts import Parts
from rella_hub.stages.chunks.processes import Processes
from rella_hub.stages.chunks.run import Advance, Work, run
from rella_hub.stages.dry_run import SAMPLE, Estimate
from rella_hub.vectors.encode import Encoder, by_length, encode_batch, load_encoder, require_finite

BATCHES_PER_CHUNK = 16


def encode_in_chunks(
    output: Path,
    made_from: Mapping,
    texts: list[str],
    options: EncoderArguments,
    engine: EngineArguments,
    group: Processes,
    overwrite: bool,
) -> np.ndarray | None:
    """(len(texts), width) float32, for the table `output` that is made from `made_from`; None for all processes but the first.

    A chunk is some batches of texts of like length, the same ones as without chunks, so the vectors are the same to the last digit.
    """
    inputs = {**made_from, "encoder_batch_size": options.encoder_batch_size}
    parts = Parts(output, inputs, len(texts), BATCHES_PER_CHUNK * options.encoder_batch_size)
    if group.is_first:
        parts.open(overwrite)
    group.wait()
    job = Job(parts, texts, options, os.getcwd())  # noqa: PTH109
    try:
        run(job, [parts], range(parts.chunks), group, "item description", engine.engine, engine.workers)
    finally:
        if group.is_first:
            parts.remove_if_empty()
    return _joined(parts, len(texts)) if group.is_first else None


def remove_chunks(output: Path) -> None:
    """Once the table is written they have done their work."""
    Parts(output, {}, 0, 1).remove()


@dataclass(frozen=True)
class Job:
    """The encoding as it travels to the workers."""

    parts: Parts
    texts: list[str]
    options: EncoderArguments
    at: str  # the folder that the encoder's name is relative to

    def __call__(self) -> Work:
        os.chdir(self.at)
        encoder = load_encoder(self.options.encoder, self.options.encoder_revision)
        order, lengths = by_length(encoder, self.texts)
        return partial(self._encode, encoder, order, lengths)

    def _encode(self, encoder: Encoder, order: np.ndarray, lengths: np.ndarray, chunk: int, advance: Advance) -> None:
        begin, end = self.parts.bounds(chunk)
        found, size = [], self.options.encoder_batch_size
        for at in range(begin, end, size):
            rows = order[at : min(at + size, end)]
            found.append(encode_batch(encoder, [self.texts[row] for row in rows]))
            advance(len(rows), int(lengths[at : at + len(rows)].sum()))
        vectors = np.concatenate(found)
        require_finite(encoder, vectors, [self.texts[row] for row in order[begin:end]])
        lists = pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])
        self.parts.write(chunk, pa.table({"row": order[begin:end], "vector": lists}), int(lengths[begin:end].sum()))


def _joined(parts: Parts, rows: int) -> np.ndarray:
    vectors = np.empty((rows, 0), dtype=np.float32)
    for table, _ in parts.read(range(parts.chunks)):
        found = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        if not vectors.size:
            vectors = np.empty((rows, found.shape[1]), dtype=np.float32)
        vectors[table["row"].to_numpy()] = found
    return vectors


def estimate(texts: list[str], options: EncoderArguments) -> Estimate:
    """What encoding would cost, by every n-th text in the order of their lengths."""
    encoder = load_encoder(options.encoder, options.encoder_revision)
    order, lengths = by_length(encoder, texts)
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(SAMPLE, len(texts))).astype(int))
    size = options.encoder_batch_size
    batches = [[texts[row] for row in order[chosen[at : at + size]]] for at in range(0, len(chosen), size)]
    encode_batch(encoder, batches[0])  # warms up
    with measured() as found:
        for batch in batches:
            encode_batch(encoder, batch)
    return Estimate(
        unit="item description",
        rows=len(texts),
        timed_rows=len(chosen),
        timed_tokens=int(lengths[chosen].sum()),
        seconds=found.seconds,
        weights=footprint(encoder.model),
        precision=str(encoder.model.dtype).removeprefix("torch."),
        memory=found.memory,
    )
