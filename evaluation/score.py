"""Score one system on one split: P(Yes) of every sample, with everything needed to make the scores again.

--model is what was trained, of any family: a run folder or a Hub id. A base model alone is given with --base, which is zero-shot, or
with --base and --adapter. An adapter that does not load whole, or was trained on another base, is an error.

Scores are kept chunk by chunk in a hidden folder beside the file: a run that was killed resumes when the same command is given again,
and the file is the same to the last byte. Several processes of one launch, or the workers of a Ray cluster, share the chunks.

examples:
  python evaluation/score.py --base runs/demo/base --dataset rella/demo --config_name subr_k5
  python evaluation/score.py --base lmsys/vicuna-13b-v1.5 --adapter rella/ml1m-rella-vicuna-13b --dataset rella/ml1m \\
      --config_name subr_k30 --split test --limit 10000 --output runs/ml1m/rella_subr_k30.parquet
  python evaluation/score.py --model runs/ml1m/din --dataset rella/ml1m --config_name subr_k30
  python evaluation/score.py --model runs/ml1m/rella --dataset rella/ml1m --config_name subr_k30 --dry_run true   # what it would cost
  accelerate launch --num_processes 4 evaluation/score.py --model runs/ml1m/rella --dataset rella/ml1m --config_name subr_k30
  python evaluation/score.py --model runs/ml1m/rella --dataset rella/ml1m --config_name subr_k30 --shard 3/16     # then join_scores.py
"""

from __future__ import annotations

from rella_hub import cli
from rella_hub.systems.choice import option_types
from rella_hub.systems.score_options import RunOptions, SampleOptions, SystemOptions


def main() -> None:
    samples, chosen, run, *families = cli.parse(
        SampleOptions, SystemOptions, RunOptions, *option_types(), description=__doc__
    )
    from rella_hub.systems.score_one import make_scores

    make_scores(samples, chosen, run, families)


if __name__ == "__main__":
    cli.run(main)
