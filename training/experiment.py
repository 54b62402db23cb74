"""Make an experiment: train and score every cell of a grid of systems, for a table or a figure of a paper.

An experiment is a YAML file: the table that it fills, the systems, each with a recipe and axes, and the samples that they are scored on.
What is there is kept, cell by cell, and a cell that was interrupted resumes; a cell that fails stops no other, and says why in the report.
Afterwards python evaluation/report.py --experiment fills the table and draws its figure, ours beside the paper's.

examples:
  python training/experiment.py --config training/recipes/ml1m/experiments/shots.yaml --dry_run true      # the cells, and what they cost
  python training/experiment.py --config training/recipes/ml1m/experiments/shots.yaml
  python training/experiment.py --config training/recipes/ml1m/experiments/shots.yaml --cells 0/4         # on one of four machines
  python training/experiment.py --config training/recipes/ml1m/experiments/views.yaml --limit 5000 --output_dir runs/ml1m/views_5000
  python evaluation/report.py --experiment runs/ml1m/experiments/shots --output tables
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.experiments.options import ExperimentArguments

    (options,) = cli.parse(ExperimentArguments, description=__doc__)
    from rella_hub.experiments.run import make_experiment

    make_experiment(options)


if __name__ == "__main__":
    cli.run(main)
