"""Let one system choose the next item among the stored candidates of each sample, with everything needed to make the choices again.

--model is what was trained, of any family that chooses: a run folder or a Hub id. Every system answers the same questions: the candidates
are stored in the data set, and the name of a config says which draw of them (next_item_k10, next_item_k10_draw1, candidates).

Choices are kept chunk by chunk in a hidden folder beside the file: a run that was killed resumes when the same command is given again.

examples:
  python evaluation/choose.py --model runs/ml100k/sasrec --dataset rella/ml100k --config_name next_item_k10
  python evaluation/choose.py --model runs/ml100k/sasrec --dataset rella/ml100k --config_name next_item_k10_draw1 \\
      --output runs/ml100k/choices/sasrec_draw1.parquet
"""

from __future__ import annotations

from rella_hub import cli
from rella_hub.systems.choice import option_types
from rella_hub.systems.score_options import RunOptions, SampleOptions, SystemOptions


def main() -> None:
    samples, chosen, run, *families = cli.parse(
        SampleOptions, SystemOptions, RunOptions, *option_types(), description=__doc__
    )
    from rella_hub.systems.choosing import make_choices

    make_choices(samples, chosen, run, families)


if __name__ == "__main__":
    cli.run(main)
