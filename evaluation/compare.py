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
from rella_hub.systems.choice import base_options
from rella_hub.systems.score_options import RunOptions, SampleOptions


@dataclass(frozen=True)
class CompareOptions:
    adapters: list[str] = option(
        "Adapters: Hub ids or folders. Without any: zero-shot and the rows that need no model.", []
    )
    systems: list[str] = option("Name of each adapter's row, in their order. Default: their run or Hub names.", [])
    output: str | None = option("Folder. Default: runs/<corpus>/compare/<config_name>_<split>", None)
    resamples: int = option("Bootstrap resamples behind each interval.", 1000)
    adapter_revisions: list[str] = option(
        "Branch, tag or commit of each adapter, in their order. Default: main for all.", []
    )


def main() -> None:
    samples, options, run, of_base = cli.parse(
        *(SampleOptions, CompareOptions, RunOptions, base_options()), description=__doc__
    )
    from rella_hub.reports.comparison_run import make_comparison

    make_comparison(samples, options, run, of_base)


if __name__ == "__main__":
    cli.run(main)
