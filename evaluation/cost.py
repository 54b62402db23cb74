"""Measure what a system costs: the weights that were trained, and the time to score a sample, one at a time and batched.

It takes the options of evaluation/score.py that say which system and which samples. Nothing is kept of the scores.
python evaluation/report.py --table efficiency puts the files beside the paper's numbers. Times are of this machine, which should do
nothing else meanwhile.

examples:
  python evaluation/cost.py --model runs/ml1m/sim --dataset rella/ml1m --config_name subr_k30 --output runs/ml1m/costs/sim.json
  python evaluation/cost.py --model runs/ml1m/rella --dataset rella/ml1m --config_name subr_k30 --output runs/ml1m/costs/rella.json \\
      --timed_samples 64
"""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.systems.choice import option_types
from rella_hub.systems.score_options import SampleOptions, SystemOptions


@dataclass(frozen=True)
class CostArguments:
    timed_samples: int = option("How many samples are timed, a seeded choice.", 256)
    overwrite: bool = option("Replace a file of this command that was changed since it was written.", False)


def main() -> None:
    samples, chosen, cost, *families = cli.parse(
        SampleOptions, SystemOptions, CostArguments, *option_types(), description=__doc__
    )
    cli.refuse_without("evaluation/score.py: here it is --timed_samples", samples, ["limit"])
    cli.refuse_without("evaluation/score.py", chosen, ["shard"])
    from rella_hub.systems.cost import measure

    measure(samples, chosen, families, cost.timed_samples, cost.overwrite)


if __name__ == "__main__":
    cli.run(main)
