"""Making the cells of an experiment one after the other: each is trained and scored by its family, and one that fails stops no other."""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace

from rella_hub import systems
from rella_hub.experiments import cost, folder
from rella_hub.experiments.cells import Cell, cells_of, own_cells, scoring_options
from rella_hub.experiments.options import ExperimentArguments
from rella_hub.stages.dry_run import duration
from rella_hub.systems.model_free import WithoutModel
from rella_hub.systems.score_one import make_scores, write_scores_of
from rella_hub.systems.score_options import RunOptions, SystemOptions
from rella_hub.texts.shown import first_line


def make_experiment(options: ExperimentArguments) -> None:
    """Make the cells that are asked for. ValueError in the end where some of them failed."""
    cells = cells_of(options)
    own = own_cells(options, cells)
    if options.dry_run:
        cost.say(options, own)
        return
    folder.open_folder(options, cells)
    print(f"{len(own)} of {len(cells)} cells, of which {sum(cell.is_scored for cell in own)} have scores.", flush=True)
    failed, begin = {}, time.monotonic()
    for number, cell in enumerate(own, start=1):
        print(
            f"cell {number} of {len(own)}: {cell.name}{_left(number, len(own), time.monotonic() - begin)}", flush=True
        )
        try:
            _make(options, cell)
        except Exception as error:  # whatever ends one cell: the others are none the worse for it
            failed[cell.name] = first_line(error)
            folder.note_failure(cell, failed[cell.name])
            print(f"FAILED: {cell.name}: {failed[cell.name]}", file=sys.stderr, flush=True)
        else:
            folder.forget_failure(cell)
        gc.collect()  # a model is full of circles
    if failed:
        name, why = next(iter(failed.items()))
        raise ValueError(
            f"{len(failed)} of {len(own)} cells failed, the first of them {name}: {why} The others are made; run the same command again "
            "when that is mended."
        )
    print(
        f"{options.output_dir}: {len(own)} cells. python evaluation/report.py --experiment {options.output_dir} --output ..."
    )


def _make(options: ExperimentArguments, cell: Cell) -> None:
    """Train a cell, unless it is trained, and score it, unless it is scored."""
    run = RunOptions(overwrite=options.overwrite)
    if cell.training is not None:
        training = replace(cell.training, overwrite=True) if options.overwrite else cell.training
        systems.part(str(cell.family), "train").train(training)
    for config_name in cell.scored_on:
        samples, path = options.samples(config_name), cell.scores(config_name)
        if cell.model_free is not None:
            write_scores_of(WithoutModel(cell.model_free, samples), samples, path, cell.system, run)
            continue
        model = str(cell.run) if cell.training is not None else None
        chosen = SystemOptions(model=model, output=str(path), system=cell.system)
        make_scores(samples, chosen, run, scoring_options(cell))


def _left(number: int, of: int, seconds: float) -> str:
    """How many cells come after this one, and how long that is at the pace of those before."""
    done = number - 1
    pace = f", about {duration((of - done) * seconds / done)} at the pace so far" if done else ""
    return f" ({of - number} left after it{pace})"
