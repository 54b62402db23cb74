"""Score one system on one split: P(Yes) of every sample, with everything needed to make the scores again.

The base model alone is the zero-shot system; with --adapter it is that adapter. Base, adapter and data set are folders or
Hub ids. An adapter that does not load whole, or was trained on another base, is an error.

examples:
  python evaluation/score.py --base runs/demo/base --dataset rella/demo --config_name subr_k5
  python evaluation/score.py --base lmsys/vicuna-13b-v1.5 --adapter rella/ml1m-rella-vicuna-13b --dataset rella/ml1m \\
      --config_name subr_k30 --split test --limit 10000 --output runs/ml1m/rella_subr_k30.parquet
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dataset_builders import cli


@dataclass(frozen=True)
class ScoreArguments:
    base: str = field(metadata={"help": "Base model: Hub id or folder."})
    dataset: str = field(metadata={"help": "Data set: Hub id or folder, such as rella/ml1m."})
    config_name: str = field(metadata={"help": "Prompts to score: subr_k30, recency_k30, ..."})
    adapter: str | None = field(
        default=None, metadata={"help": "Adapter: Hub id or folder. Default: none, which is zero-shot."}
    )
    output: str | None = field(
        default=None,
        metadata={
            "help": "The score file (Parquet). Default: runs/<corpus>/scores/<system>_<config_name>_<split>.parquet"
        },
    )
    system: str | None = field(
        default=None,
        metadata={"help": "Name of the row in reports. Default: zero_shot, or the adapter's run or Hub name."},
    )
    split: str = field(default="test", metadata={"help": "train, validation or test."})
    limit: int | None = field(
        default=None, metadata={"help": "Score a seeded choice of this many samples. Default: all."}
    )
    seed: int = field(
        default=0, metadata={"help": "Seed of that choice, the same samples for every config and system."}
    )
    max_length: int = field(
        default=2048, metadata={"help": "Token budget of a prompt; a longer one is an error, never cut."}
    )
    dtype: str = field(
        default="auto", metadata={"help": "float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32."}
    )
    quantization: str = field(default="none", metadata={"help": "none, 8bit or 4bit base weights (bitsandbytes)."})
    tokens_per_batch: int = field(
        default=8192, metadata={"help": "Padded tokens scored at once; lower it if memory runs out."}
    )
    base_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the base model."})
    adapter_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the adapter."})
    dataset_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the data set."})
    overwrite: bool = field(default=False, metadata={"help": "Replace a score file that was made from something else."})


def main() -> None:
    (options,) = cli.parse(ScoreArguments, description=__doc__)
    from evaluation.scores.make import make_scores

    make_scores(options)


if __name__ == "__main__":
    cli.run(main)
