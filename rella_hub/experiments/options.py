"""What an experiment says: the table that it fills, the systems of its grid, and the samples that they are scored on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rella_hub.cli.options import option
from rella_hub.paper.tables import read_table
from rella_hub.systems.score_options import SampleOptions

EXPERIMENT = "experiment"  # what the folder is recorded as


@dataclass(frozen=True)
class ExperimentArguments:
    table: str = option(
        "The table of a paper that is filled: the name of a file in evaluation/paper_tables/.", pins=False
    )
    dataset: str = option("Data set of all cells: Hub id or folder, such as rella/ml1m.")
    output_dir: str = option("The folder of the experiment: runs/, scores/, failed/, experiment.json.", pins=False)
    systems: list[dict] = option(
        "The systems, each a mapping. What it is: `recipe`, a YAML file to train by (with `family`, where its keys fit more than one); "
        "`base`, a language model that is not tuned; or `model_free`, such as history_mean. `name`: its row; default: that of the recipe. "
        "`axes`: lists of values by name, of which every combination is a cell. `options`: further options of training. `scored_on`: "
        "configs to score; default: what the config of the recipe is tested on. `scoring`: further options of scoring. An axis is an "
        "option of training, or stands in braces in other values: config_name: reit_k{history_length}."
    )
    split: str = option("Split that is scored.", "test")
    limit: int | None = option("Score a seeded choice of this many samples. Default: all.", None)
    seed: int = option("Seed of that choice, the same samples for all cells.", 0)
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    cells: str | None = option(
        "Make one share of the cells alone, such as 0/4: shares 0 to 3 of 4 may run on as many machines that share --output_dir.",
        None,
        pins=False,
    )
    dry_run: bool = option(
        "Make nothing: list the cells, which of them are done, and what memory and time the others take.",
        False,
        pins=False,
    )
    overwrite: bool = option(
        "Replace what was made by other settings or of another data set in --output_dir.", False, pins=False
    )

    def __post_init__(self) -> None:
        read_table(self.table)
        self.samples(config_name="").check()
        if self.share is None and self.cells is not None:
            raise ValueError(f"--cells is {self.cells!r}; expected one of 0/N to N-1/N, such as 0/4.")

    @property
    def folder(self) -> Path:
        return Path(self.output_dir)

    @cached_property
    def share(self) -> tuple[int, int] | None:
        """Which share of the cells, and of how many; None for all, or for what is no share."""
        match = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", self.cells or "")
        number, of = map(int, match.groups()) if match else (0, 0)
        return (number, of) if number < of else None

    def samples(self, config_name: str) -> SampleOptions:
        return SampleOptions(self.dataset, config_name, self.split, self.limit, self.seed, self.dataset_revision)
