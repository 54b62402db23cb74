"""A table of a paper with our numbers in it: filled where measured, empty where not, never copied.

Which row a measurement belongs in, the table says itself (rella_hub/paper/tables.py). Several trained models that differ in their
seed alone give their mean and standard deviation. What belongs in no row of the paper stands below its rows.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rella_hub.paper.facts import Measured, belongs
from rella_hub.paper.tables import PaperTable, read_table
from rella_hub.reports import measured_choices, measured_costs, measured_data, measured_scores
from rella_hub.reports.folder import ReportFolder
from rella_hub.reports.same_samples import natural_order
from rella_hub.tables.choices import Choices
from rella_hub.tables.scores import Scores

NO_HOLES: Mapping[str, str] = {}


@dataclass(frozen=True)
class Row:
    """What was measured of one thing, once for each seed, and what the paper prints of it."""

    cells: dict  # the keys of the table that are shown
    ours: list[Mapping[str, float]]
    paper: dict[str, float] | None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)  # of a single measurement

    def mean(self, value: str) -> float | None:
        found = [one[value] for one in self.ours if value in one]
        return statistics.mean(found) if found else None

    def deviation(self, value: str) -> float | None:
        """Over the seeds; None where there is only one."""
        found = [one[value] for one in self.ours if value in one]
        return statistics.stdev(found) if len(found) > 1 else None

    def difference(self, value: str) -> float | None:
        """Ours minus the paper's; None where one of them is missing."""
        mean = self.mean(value)
        return None if mean is None or self.paper is None else mean - self.paper[value]


@dataclass(frozen=True)
class Section:
    """The rows of one corpus; the only section of a table that is not by corpus."""

    corpus: str | None
    archives: list[str]  # what the data were made from, in sentences
    rows: list[Row]  # those of the paper in its order, then ours alone
    left_out: list[str]  # what has no place in this table, in sentences
    samples: str = ""  # which of the test samples ours are of, in words


def write_table(
    name: str,
    scores: list[Scores] | list[Choices],
    datasets: list[str],
    output: Path,
    overwrite: bool = False,
    holes: Mapping[str, str] = NO_HOLES,
    costs: Sequence[str] = (),
) -> None:
    """Print one table of the paper, and write it to `<output>/<name>.md`, `.json` and, where it has several rows, `.png`.

    holes: what an experiment is to put into it and has not, with the reason.
    """
    from rella_hub.reports.paper_table_figure import draw
    from rella_hub.reports.paper_table_text import as_json, markdown

    table = read_table(name)
    folders = measured_data.folders_of(table, datasets) if table.measured_on == "data" else []
    reads = [*folders, *{one.record["dataset_folder"] for one in scores}]
    names = [f"{name}.md", f"{name}.json", *([f"{name}.png"] if table.shown else [])]
    with ReportFolder(output, overwrite, reads).writing(*names) as write:
        sections = filled(table, scores, folders, costs)
        text = markdown(table, sections, holes)
        write(names[0], text)
        write(names[1], as_json(table, sections, holes))
        if table.shown:
            write(names[2], lambda path: draw(table, sections, path))
    print(text)


def filled(
    table: PaperTable, scores: list[Scores] | list[Choices], folders: list[Path], costs: Sequence[str] = ()
) -> list[Section]:
    """ValueError for scores that are not of the whole test split, or for two measurements of one row that are not seeds."""
    by: Any = measured_choices if table.measured_on == "choices" else measured_scores
    if table.measured_on == "data":
        found, archives = measured_data.measured(table, folders), measured_data.archives(folders)
    elif table.measured_on == "costs":
        found, archives = measured_costs.measured(table, costs), {}
    else:
        found, archives = by.measured(table, scores), {}
    if "corpus" not in table.keys:
        return [_section(table, None, found, [], [])]
    sections = []
    for corpus in sorted({one.facts["corpus"] for one in found}):
        own = [one for one in found if one.facts["corpus"] == corpus]
        files: list[Any] = [one for one in scores if one.record["corpus"] == corpus]
        said = measured_scores.archives(files) if files else archives[corpus]
        floor = by.without_model(table, files) if files else []
        section = _section(table, corpus, own, said, floor)
        sections.append(replace(section, samples=by.samples_in_words(files) if files else ""))
    return sections


def _section(
    table: PaperTable, corpus: str | None, found: list[Measured], archives: list[str], floor: list[Measured]
) -> Section:
    rows, alone = [], list(found)
    for row in table.where({} if corpus is None else {"corpus": corpus}):
        ours = [one for one in alone if belongs(one.facts, row, table)]
        alone = [one for one in alone if one not in ours]
        cells = {key: row[key] for key in table.shown}
        rows.append(_row(cells, ours, {value: row[value] for value in table.values}))
    by_cells: dict[tuple, list[Measured]] = {}
    left_out = []
    for one in alone:
        cells = _cells(table, one)
        lacking = [key for key in table.shown if cells[key] is None and all(row[key] is not None for row in table.rows)]
        if lacking:
            left_out.append(f"{one.what} is left out: it has no {lacking[0].replace('_', ' ')}.")
        else:
            by_cells.setdefault(tuple(cells.values()), []).append(one)
    for key in sorted(by_cells, key=lambda key: [natural_order(str(cell).replace(",", "")) for cell in key]):
        cells = dict(zip(table.shown, key, strict=True))
        rows.append(_row(cells, by_cells[key], None))
    rows += [Row(_cells(table, one), [one.values], None) for one in floor]
    return Section(corpus, archives, rows, left_out)


def _row(cells: dict, ours: list[Measured], paper: dict[str, float] | None) -> Row:
    return Row(cells, _seeds(cells, ours), paper, ours[0].intervals if len(ours) == 1 else {})


def _cells(table: PaperTable, one: Measured) -> dict:
    """The keys of a row of its own."""
    return {key: one.names.get(key, one.facts.get(key)) for key in table.shown}


def _seeds(cells: dict, ours: list[Measured]) -> list[Mapping[str, float]]:
    """The numbers of measurements of one row; ValueError unless they are of models that differ in their seed alone."""
    name = ", ".join(str(cell) for cell in cells.values() if cell is not None) or "one corpus"
    for other in ours[1:]:
        one = ours[0]
        if one.made_with is None or other.made_with is None or one.facts["corpus"] != other.facts["corpus"]:
            raise ValueError(f"{one.what} and {other.what} both belong to {name}. Give one of them.")
        if one.made_with != other.made_with:
            both = {**one.made_with, **other.made_with}
            different = next(key for key in both if one.made_with.get(key) != other.made_with.get(key))
            raise ValueError(
                f"{one.what} and {other.what} are of {name} with another {different}: {one.made_with.get(different)!r} and "
                f"{other.made_with.get(different)!r}. The mean of a row is over seeds; give the files of one setting."
            )
    if len({one.weights for one in ours}) < len(ours):
        raise ValueError(f"{name}: two of its score files are of the same weights. Give each once.")
    return [one.values for one in ours]
