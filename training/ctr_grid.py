"""Search the settings of a traditional CTR model on validation, then train the best one with several seeds.

Takes the options of training/ctr.py and a grid. Every setting gets a run folder under search/, the best setting one for each seed
(seed_0/, seed_1/, ...), and grid.md says what was tried and found. An interrupted search goes on where it was.

examples:
  python training/ctr_grid.py --config training/recipes/ml1m/din.yaml --output_dir runs/ml1m/grid/din
  python training/ctr_grid.py --config training/recipes/ml1m/sim.yaml --output_dir runs/ml1m/grid/sim \\
      --grid '{"embedding_size": [32, 64], "batch_size": [256, 512]}' --seeds 5
"""

from rella_hub import cli


def main() -> None:
    from rella_hub.systems.ctr.options import FittingArguments, GridArguments

    options, grid = cli.parse(FittingArguments, GridArguments, description=__doc__)
    from rella_hub.reports.measure import measure
    from rella_hub.systems.ctr.grid import search

    search(options, grid, measure)


if __name__ == "__main__":
    cli.run(main)
