"""Compare the adapters of one base on the same samples in one pass: the base is loaded once, each prompt is read once.

Every batch is scored by the base alone (zero-shot) and by each adapter in turn. The scores are those of python evaluation/score.py
for each system alone, and the report is that of python evaluation/report.py on them. The folder of --output gets

  scores/<system>.parquet   as score.py writes them: report.py takes them, and those that are up to date are kept
  compare.md                every metric with its 95 % interval; the AUC difference to zero-shot with DeLong's z and p
  compare.json              the same in full; model_cards/render.py takes it as --results
  compare.png               AUC with intervals, ROC curves, and how well the scores are calibrated

examples:
  python evaluation/compare.py --base runs/demo/base --adapters runs/demo/rella/adapter --dataset rella/demo --config_name subr_k5
  python evaluation/compare.py --base lmsys/vicuna-13b-v1.5 --adapters rella/ml1m-rella-vicuna-13b rella/ml1m-recency-vicuna-13b \\
      --dataset rella/ml1m --config_name subr_k30 --split test --limit 10000 --seed 0 --quantization 8bit
  python evaluation/compare.py --base runs/demo/base --adapters a/rella/adapter b/rella/adapter --systems small large \\
      --dataset rella/demo --config_name subr_k5           # two adapters of one name: --systems tells them apart
"""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.language_models.chat_template import template_arguments


@dataclass(frozen=True)
class CompareArguments:
    base: str = option("Base model of all adapters: Hub id or folder.")
    dataset: str = option("Data set: Hub id or folder, such as rella/ml1m.")
    config_name: str = option("Prompts to score: subr_k30, recency_k30, ...")
    adapters: list[str] = option(
        "Adapters: Hub ids or folders. Without any: zero-shot and the rows that need no model.", []
    )
    systems: list[str] = option("Name of each adapter's row, in their order. Default: their run or Hub names.", [])
    output: str | None = option("Folder. Default: runs/<corpus>/compare/<config_name>_<split>", None)
    split: str = option("train, validation or test.", "test")
    limit: int | None = option("Score a seeded choice of this many samples. Default: all.", None)
    seed: int = option("Seed of that choice, and of the resamples.", 0)
    resamples: int = option("Bootstrap resamples behind each interval.", 1000)
    max_length: int = option("Token budget of a prompt; a longer one is an error, never cut.", 2048)
    dtype: str = option("float32, bfloat16, float16, or auto: bfloat16 on a GPU, else float32.", "auto")
    quantization: str = option("none, 8bit or 4bit base weights (bitsandbytes).", "none")
    chat_template_kwargs: dict | None = option(
        "Arguments of the base model's chat template in JSON, such as '{\"enable_thinking\": false}'; "
        "chat_template in it is a template to use instead, strftime_now the date that a template writes as today's.",
        None,
    )
    tokens_per_batch: int = option("Padded tokens scored at once; lower it if memory runs out.", 8192)
    base_revision: str | None = option("Branch, tag or commit of the base model.", None)
    adapter_revisions: list[str] = option(
        "Branch, tag or commit of each adapter, in their order. Default: main for all.", []
    )
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    any_base: bool = option(
        "Take an adapter on a base that is not the one it names, where you know that they are the same. If they are not, its "
        "scores mean nothing, and look like those of a poor adapter.",
        False,
    )
    overwrite: bool = option("Score all anew, also where a score file was made from something else.", False)

    def __post_init__(self):
        object.__setattr__(self, "chat_template_kwargs", template_arguments(self.chat_template_kwargs))


def main() -> None:
    (options,) = cli.parse(CompareArguments, description=__doc__)
    from rella_hub.reports.comparison_run import make_comparison

    make_comparison(options)


if __name__ == "__main__":
    cli.run(main)
