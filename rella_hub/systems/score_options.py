"""The options of scoring that are the same for every family: which samples are scored, and where and how that is done."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class SampleOptions:
    """Which samples are scored, on which prompts."""

    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.")
    config_name: str = option("Prompts to score: subr_k30, recency_k30, ...")
    split: str = option("train, validation or test.", "test")
    limit: int | None = option("Score a seeded choice of this many samples. Default: all.", None)
    seed: int = option("Seed of that choice, the same samples for every config and system.", 0)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)

    def check(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"--split is {self.split!r}; expected one of {', '.join(SPLITS)}.")
        if self.seed < 0:
            raise ValueError(f"--seed is {self.seed}; at least 0 is needed.")


@dataclass(frozen=True)
class RunOptions:
    """Where and how scores are computed: they are the same whatever these say."""

    rows_per_chunk: int | None = option(
        "Samples of a chunk, which is kept as soon as it is scored. Default: the family's own.", None, pins=False
    )
    engine: str = option(
        "Where chunks are scored: local (this process, or those of accelerate launch), or ray_data (a Ray cluster, with the extra "
        "`ray`; RAY_ADDRESS names one that runs), one model a GPU.",
        "local",
        pins=False,
    )
    workers: int | None = option(
        "Models at a time on the Ray cluster. Default: one for each GPU, without GPUs for each core.", None, pins=False
    )
    dry_run: bool = option(
        "Score nothing: say how many prompts and tokens there are, and what memory and time they take.",
        False,
        pins=False,
    )
    overwrite: bool = option("Replace a score file that was made from something else.", False, pins=False)

    def check(self) -> None:
        for name in ("rows_per_chunk", "workers"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"--{name} is {getattr(self, name)}; at least 1 is needed.")


@dataclass(frozen=True)
class SystemOptions:
    """Which system is scored, and its file."""

    model: str | None = option(
        "What was trained, of any family: a run folder, the folder in it that holds the result, or a Hub id. A base model "
        "alone, or with an adapter, is given with --base and --adapter instead.",
        None,
        pins=False,
    )
    model_revision: str | None = option("Branch, tag or commit of the model.", None, pins=False)
    output: str | None = option(
        "The score file (Parquet). Default: runs/<corpus>/scores/<system>_<config_name>_<split>.parquet",
        None,
        pins=False,
    )
    system: str | None = option(
        "Name of the row in reports. Default: zero_shot, or the name of the run or on the Hub.", None, pins=False
    )
    shard: str | None = option(
        "Score one shard alone, such as 3/16, into <output>.shard-3-of-16; python evaluation/join_scores.py joins them.",
        None,
        pins=False,
    )
