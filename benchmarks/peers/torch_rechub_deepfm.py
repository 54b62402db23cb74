"""One turn of Torch-RecHub in benchmarks/ctr.py: its DeepFM, data generator and trainer.

Runs in Torch-RecHub's own environment. example: python benchmarks/peers/torch_rechub_deepfm.py settings.json result.json
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.ranking import DeepFM
from torch_rechub.trainers import CTRTrainer
from torch_rechub.utils.data import DataGenerator
from turn import processor_seconds, read_settings, write_result


class TimedTrainer(CTRTrainer):
    """Adds up the time of its training epochs and keeps what each validation finds."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seconds, self.processor, self.found = 0.0, 0.0, []

    def train_one_epoch(self, *arguments, **options):
        begin, processor = time.perf_counter(), processor_seconds()
        loss = super().train_one_epoch(*arguments, **options)
        self.seconds += time.perf_counter() - begin
        self.processor += processor_seconds() - processor
        return loss

    def evaluate(self, *arguments, **options):
        self.found.append(super().evaluate(*arguments, **options))
        return self.found[-1]


def features(sizes: dict, width: int) -> list:
    """The fields, and the history's items and ratings, each pooled to its mean; the item has one embedding, as with us."""
    fields = [SparseFeature(name, size, width, padding_idx=0) for name, size in sizes["fields"].items()]
    item = SequenceFeature("history_item", sizes["fields"]["item_id"], width, "mean", "item_id", padding_idx=0)
    return [*fields, item, SequenceFeature("history_rating", sizes["ratings"], width, "mean", padding_idx=0)]


def main() -> None:
    settings = read_settings()
    folder, options = Path(settings["exported"]), settings["options"]
    torch.manual_seed(settings["seed"])
    found = features(json.loads((folder / "sizes.json").read_text(encoding="utf-8")), options["embedding_size"])
    arrays = {split: dict(np.load(folder / f"{split}.npz")) for split in ("train", "validation")}
    label = {split: part.pop("label") for split, part in arrays.items()}
    train, validation, _ = DataGenerator(arrays["train"], label["train"]).generate_dataloader(
        x_val=arrays["validation"],
        y_val=label["validation"],
        x_test=arrays["validation"],
        y_test=label["validation"],
        batch_size=settings["batch_size"],
        num_workers=settings["workers"],
    )
    layers = {"dims": options["hidden_sizes"], "dropout": options["dropout"], "activation": "relu"}
    model = DeepFM(deep_features=found, fm_features=found, mlp_params=layers)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = TimedTrainer(
            model,
            optimizer_fn=torch.optim.AdamW,
            optimizer_params={"lr": settings["learning_rate"], "weight_decay": settings["weight_decay"]},
            n_epoch=settings["epochs"],
            earlystop_patience=settings["epochs"],
            device="cpu",
            model_path=scratch,
        )
        trainer.fit(train, validation)
    weights = sum(p.numel() for p in model.parameters())
    write_result(trainer.seconds, trainer.processor, trainer.found[-1], weights, torch.get_num_threads())


if __name__ == "__main__":
    main()
