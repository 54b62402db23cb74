"""One turn of this project in benchmarks/ctr.py: the training loop of training/ctr.py, timed from its first batch to its last step.

example: python benchmarks/peers/this_project.py settings.json result.json
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from turn import processor_seconds, read_settings, write_result

from rella_hub.networks.ctr import load_model_class
from rella_hub.networks.layers.batch import Batch
from rella_hub.reports.measure import measure
from rella_hub.systems.ctr.inputs.batches import Samples, sample_ids
from rella_hub.systems.ctr.inputs.columns import load_columns
from rella_hub.systems.ctr.loop import fit
from rella_hub.systems.ctr.options import FittingArguments
from rella_hub.systems.ctr.train import build_model


class TimedSamples(Samples):
    """Adds up the time between asking for the first batch and asking for one more than there are."""

    seconds = processor = 0.0

    def batches(self, size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
        begin, processor = time.perf_counter(), processor_seconds()
        yield from super().batches(size, generator)
        self.seconds += time.perf_counter() - begin
        self.processor += processor_seconds() - processor


def main() -> None:
    settings = read_settings()
    options = FittingArguments(
        model=settings["model"],
        dataset=settings["dataset"],
        output_dir="",
        model_options=json.dumps(settings["options"]),
        history_length=settings["history_length"],
        retrieved=settings["retrieved"],
        batch_size=settings["batch_size"],
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        num_train_epochs=settings["epochs"],
        early_stopping_patience=settings["epochs"],
        seed=settings["seed"],
    )
    folder, model_class = Path(options.dataset), load_model_class(options.model)
    ids = {split: sample_ids(folder, split, settings[split]) for split in ("train", "validation")}
    columns = load_columns(folder, train=ids["train"])
    torch.manual_seed(options.seed)
    model = build_model(model_class, columns.values, options)
    search = options.search if model_class.RETRIEVES else None
    parts = {
        split: TimedSamples(columns, folder, split, found, options.history_length, search, options.retrieved)
        for split, found in ids.items()
    }
    _, progress = fit(model, parts["train"], parts["validation"], options, measure, torch.device("cpu"))
    timed, weights = parts["train"], sum(p.numel() for p in model.parameters())
    write_result(timed.seconds, timed.processor, progress.log[-1]["auc"], weights, torch.get_num_threads())


if __name__ == "__main__":
    main()
