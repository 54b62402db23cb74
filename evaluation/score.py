"""Score one system on one split: P(Yes) of every sample, with everything needed to make the scores again.

The base model alone is the zero-shot system; with --adapter it is that adapter. Base, adapter and data set are folders or
Hub ids. An adapter that does not load whole, or was trained on another base, is an error. With --model it is a traditional CTR
model of training/ctr.py, on the very same samples.

examples:
  python evaluation/score.py --base runs/demo/base --dataset rella/demo --config_name subr_k5
  python evaluation/score.py --base lmsys/vicuna-13b-v1.5 --adapter rella/ml1m-rella-vicuna-13b --dataset rella/ml1m \\
      --config_name subr_k30 --split test --limit 10000 --output runs/ml1m/rella_subr_k30.parquet
  python evaluation/score.py --model runs/ml1m/din --dataset rella/ml1m --config_name subr_k30
"""

from __future__ import annotations

from rella_hub import cli
from rella_hub.systems.score_options import ScoreArguments


def main() -> None:
    (options,) = cli.parse(ScoreArguments, description=__doc__)
    if options.model is not None:
        from rella_hub.systems.ctr.score import make_click_scores

        make_click_scores(options)
    else:
        from rella_hub.systems.adapter.score import make_scores

        make_scores(options)


if __name__ == "__main__":
    cli.run(main)
