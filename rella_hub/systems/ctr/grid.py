"""The search of a CTR model's settings: every combination of a grid once, the best by validation again with further seeds.

    <output_dir>/search/embedding_size=32,dropout=0.0/    a run folder for each setting
    <output_dir>/seed_0/, seed_1/, ...                    the best setting, a run folder for each seed
    <output_dir>/grid.json, grid.md                       what was searched, and what was found

Nothing of it looks at the test split. What has been trained is kept, so an interrupted search goes on where it was.
"""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import get_type_hints

from rella_hub.files import ownership, places
from rella_hub.files.writer import LOCK, sole_writer
from rella_hub.systems.ctr.options import RUN, GridArguments, Options
from rella_hub.systems.ctr.train import train
from rella_hub.systems.epochs import BETTER_IS_LESS
from rella_hub.tables import records
from rella_hub.tables.runs import RECORD
from rella_hub.texts.markdown import table
from rella_hub.texts.shown import in_markdown

SEARCHED_BY = ("model", "model_options", "seed", "metric_for_best_model")
GRID = "grid"  # what the folder is recorded as
FIGURES = ("weights", "best_epoch", "seconds", "best_validation")


def search(options: Options, grid: GridArguments) -> None:
    """Train every setting, then the best one with the other seeds."""
    if grid.seeds < 1:
        raise ValueError(f"--seeds is {grid.seeds}; at least 1 is needed.")
    settings = settings_of(grid.grid)
    output = Path(options.output_dir)
    places.check_own_folder(output, "--output_dir", reads=[options.dataset])
    ownership.require_own_folder(output, GRID)
    with sole_writer(output):
        ownership.open_folder(output, GRID)
        _search(options, settings, grid.seeds, output)


def _search(options: Options, settings: list[dict], seeds: int, output: Path) -> None:
    found = []
    for number, setting in enumerate(settings, start=1):
        folder = output / "search" / setting_name(setting)
        print(f"setting {number} of {len(settings)}: {setting_name(setting)}", flush=True)
        train(apply(options, setting, folder))
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        found.append({"setting": setting, **{key: record[key] for key in FIGURES}})
    metric = options.metric_for_best_model
    best = (min if metric in BETTER_IS_LESS else max)(found, key=lambda one: one["best_validation"][metric])
    _write(
        output,
        {"model": options.model, "chosen_by": f"validation {metric}", "best": best["setting"], "searched": found},
        options.overwrite,
    )
    for seed in range(options.seed, options.seed + seeds):
        folder = output / f"seed_{seed}"
        if seed == options.seed:
            _copy(output / "search" / setting_name(best["setting"]), folder, options.overwrite)
        else:
            train(replace(apply(options, best["setting"], folder), seed=seed))
    print(
        f"{output}: {setting_name(best['setting'])} is best of {len(found)}, trained with {seeds} seeds.",
        flush=True,
    )


def settings_of(grid: str) -> list[dict]:
    """Every combination of the grid's values, in its order."""
    try:
        axes = json.loads(grid)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"--grid is {grid!r}, expected JSON ({error}).") from error
    if not isinstance(axes, dict) or not axes or not all(isinstance(v, list) and v for v in axes.values()):
        raise ValueError(f'--grid is {grid}; expected lists of values by option, such as {{"dropout": [0.0, 0.2]}}.')
    one_for_all = {one.name for one in fields(Options) if not one.metadata["pins"]} | set(SEARCHED_BY)
    refused = sorted(set(axes) & one_for_all)
    if refused:
        raise ValueError(f"--grid has {refused[0]!r}, which is one for all settings. Give --{refused[0]} instead.")
    for name, expected in get_type_hints(Options).items():
        for value in axes.get(name, []):
            if isinstance(value, bool) or not isinstance(value, int | float if expected is float else expected):
                wanted = getattr(expected, "__name__", expected)
                raise ValueError(f"--grid has {value!r} for {name}; expected {wanted}, without quotes if a number.")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def setting_name(setting: dict) -> str:
    return ",".join(f"{key}={json.dumps(value, separators=(',', ':'))}" for key, value in setting.items())


def apply(options: Options, setting: dict, output: Path) -> Options:
    """The options of one setting: what is no option of training is one of the architecture."""
    of_training = {one.name for one in fields(Options)}
    model_options = json.loads(options.model_options) | {k: v for k, v in setting.items() if k not in of_training}
    return replace(
        options,
        output_dir=str(output),
        model_options=json.dumps(model_options),
        **{key: value for key, value in setting.items() if key in of_training},
    )


def _copy(run: Path, folder: Path, overwrite: bool) -> None:
    """The files of a run, as its record lists them, in another folder."""
    ownership.require_own_folder(folder, RUN)
    trained = records.read_record(run / RECORD) or {}
    if records.is_current(folder, records.read_record(folder / RECORD), trained, overwrite, "--output_dir"):
        return
    with ownership.writing_folder(folder, RUN) as temporary:
        for name in ownership.own_names(run, RUN) - {ownership.FILE, LOCK}:
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(run / name, temporary / name)


def _write(output: Path, record: dict, overwrite: bool) -> None:
    columns = ("setting", "weights", "best epoch", "validation AUC", "validation LogLoss", "seconds")
    rows = []
    for one in record["searched"]:
        name, at = in_markdown(setting_name(one["setting"])), one["best_validation"]
        name = f"**{name}**" if one["setting"] == record["best"] else name
        numbers = (f"{one['weights']:,}", str(one["best_epoch"]), f"{at['auc']:.4f}", f"{at['log_loss']:.4f}")
        rows.append([name, *numbers, f"{one['seconds']:.0f}"])
    text = f"# {record['model']}: settings by {record['chosen_by']}\n\n{table(columns, rows, 1)}\n"
    with ownership.writing_file(output / "grid.json", GRID, overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    with ownership.writing_file(output / "grid.md", GRID, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
