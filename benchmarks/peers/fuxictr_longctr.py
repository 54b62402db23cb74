"""One turn of FuxiCTR in benchmarks/ctr.py: DIN or SIM of its model_zoo.LongCTR, with the loader that comes with them.

Runs in FuxiCTR's own environment. example: python benchmarks/peers/fuxictr_longctr.py settings.json result.json
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.dataloaders import RankDataLoader
from fuxictr.pytorch.torch_utils import seed_everything
from model_zoo.LongCTR import DIN, SIM
from model_zoo.LongCTR.longctr_dataloader import LongCTRDataLoader
from turn import processor_seconds, read_settings, write_result

NAME = "samples"


def timed(model_class: type) -> type:
    """The model, adding up the time up to each of its validations, and keeping what they find."""

    class Timed(model_class):
        def fit(self, *arguments, **options):
            self.found, self.seconds, self.processor = [], 0.0, 0.0
            self.begin = time.perf_counter(), processor_seconds()
            super().fit(*arguments, **options)

        def eval_step(self):
            self.seconds += time.perf_counter() - self.begin[0]
            self.processor += processor_seconds() - self.begin[1]
            super().eval_step()
            self.begin = time.perf_counter(), processor_seconds()

        def evaluate(self, *arguments, **options):
            self.found.append(super().evaluate(*arguments, **options))
            return self.found[-1]

    return Timed


def architecture(settings: dict) -> tuple[type, dict, int]:
    """The class, its options from ours, and the length of the sequence that it is given."""
    options, width = settings["options"], settings["options"]["embedding_size"]
    shared = {
        "embedding_dim": width,
        "dnn_hidden_units": options["hidden_sizes"],
        "dnn_activations": options["activation"],
        "net_dropout": options["dropout"],
    }
    if settings["model"] == "din":
        attention = {
            "attention_hidden_units": options["attention_sizes"],
            "attention_hidden_activations": options["activation"],
        }
        return DIN, shared | attention, settings["history_length"]
    attention = {
        "num_heads": options["heads"],
        "attention_dim": options["heads"] * options["attention_size"],
        "short_seq_len": settings["history_length"] + 1,  # its slice leaves one out
        "topk": settings["retrieved"],
    }
    return SIM, shared | attention, settings["searched"]


def main() -> None:
    settings = read_settings()
    folder = Path(settings["exported"])
    model_class, options, length = architecture(settings)
    seed_everything(settings["seed"])
    feature_map = FeatureMap(NAME, str(folder))
    feature_map.load(str(folder / "feature_map.json"), {"embedding_dim": options["embedding_dim"]})
    train, validation = RankDataLoader(
        feature_map,
        stage="train",
        train_data=str(folder / "train.parquet"),
        valid_data=str(folder / "validation.parquet"),
        batch_size=settings["batch_size"],
        data_loader=LongCTRDataLoader,
        user_info=str(folder / "user_info.parquet"),
        item_info=str(folder / "item_info.parquet"),
        max_len=length,
        num_workers=settings["workers"],
    )
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / NAME).mkdir()
        model = timed(model_class)(
            feature_map,
            gpu=-1,
            learning_rate=settings["learning_rate"],
            optimizer="AdamW",
            loss="binary_crossentropy",
            task="binary_classification",
            metrics=["AUC", "logloss"],
            monitor="AUC",
            early_stop_patience=settings["epochs"],
            verbose=0,
            model_root=scratch,
            **options,
        )
        for group in model.optimizer.param_groups:
            group["weight_decay"] = settings["weight_decay"]
        model.fit(train, validation_data=validation, epochs=settings["epochs"])
    weights = sum(p.numel() for p in model.parameters())
    write_result(model.seconds, model.processor, model.found[-1]["AUC"], weights, torch.get_num_threads())


if __name__ == "__main__":
    main()
