"""Traditional CTR models: DIN and SIM beside FuxiCTR's, DeepFM beside Torch-RecHub's, samples/s of training and AUC on validation.

Each turn is a process of its own, in turns (ours, peer, ours, peer, ...), on the same rows in the same codes, with the same batches,
sizes, optimizer and number of epochs; the peers are trained as their own documents do. A peer's environment is made on
first use, in --environments, by pip.

examples:
  python benchmarks/ctr.py --dataset rella/ml1m
  python benchmarks/ctr.py --dataset rella/ml1m --models sim --rows 100000 --runs 1
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import markdown, processes, timing
from peers import environments, exports

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.systems.ctr.inputs.batches import Samples
from rella_hub.systems.ctr.inputs.columns import load_columns
from rella_hub.tables.shots import sample_ids

RECIPES = processes.REPOSITORY / "training" / "recipes" / "ml1m"
FUXICTR, TORCH_RECHUB = "fuxictr==2.3.10", "torch-rechub==0.9.0"
PEERS = {  # the peer of each model, its turn
    "din": (FUXICTR, "fuxictr_longctr.py"),
    "sim": (FUXICTR, "fuxictr_longctr.py"),
    "deepfm": (TORCH_RECHUB, "torch_rechub_deepfm.py"),
}
OF_RECIPE = ("history_length", "batch_size", "learning_rate", "weight_decay")


@dataclass(frozen=True)
class Arguments:
    dataset: str = option("The built data set folder, with view_subr_k30.", "rella/ml1m")
    environments: str = option("Folder of the peers' virtual environments.", "~/.cache/rella/peers")
    models: list[str] = option(f"Of {', '.join(PEERS)}.", list(PEERS))
    rows: int | None = option("Training samples, the first N. Default: all.", None)
    validation_rows: int | None = option("The same of validation.", None)
    epochs: int = option("Epochs a turn.", 1)
    runs: int = option("Turns of each; a turn has a seed of its own.", 3)
    workers: int | None = option("Loader processes of the peers. Default: one for each core but one.", None)


@dataclass(frozen=True)
class Turn:
    """What one training said."""

    seconds: float  # of training alone: no reading of tables, no validation
    processor: float  # the same as processor time, which other programs on the machine hardly change
    auc: float
    weights: int
    threads: int
    peak_gb: float


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    unknown = set(options.models) - set(PEERS)
    if unknown or not options.models:
        raise ValueError(f"--models is {options.models}. Expected some of {', '.join(PEERS)}.")
    for name, least in (("epochs", 1), ("runs", 1), ("workers", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise ValueError(f"--{name} is {value}; at least {least} is needed.")
    folder = Path(options.dataset)
    cores = len(os.sched_getaffinity(0))
    workers = cores - 1 if options.workers is None else options.workers
    pythons = {
        peer: environments.python_of(Path(options.environments).expanduser().absolute(), peer)
        for peer in sorted({PEERS[model][0] for model in options.models})
    }
    ids = {
        split: sample_ids(folder, split, limit)
        for split, limit in (("train", options.rows), ("validation", options.validation_rows))
    }
    counts = {split: len(found) for split, found in ids.items()}
    found: dict[str, dict[str, list[Turn]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        exported = _export(folder, ids, set(pythons), Path(scratch))
        for model in options.models:
            settings = _settings(model, options, counts | {"workers": workers, "dataset": str(folder.absolute())})
            peer, script = PEERS[model]
            sides = {
                "ours": (sys.executable, "this_project.py", settings),
                "peer": (pythons[peer], script, settings | {"exported": str(exported[peer])}),
            }
            found[model] = _turns(sides, options.runs, Path(scratch))
    _report(found, counts, options, cores, workers)


def _export(folder: Path, ids: dict, peers: set[str], scratch: Path) -> dict[str, Path]:
    columns = load_columns(folder, train=ids["train"])
    length = _recipe("din")["history_length"]
    parts = {split: Samples(columns, found, length) for split, found in ids.items()}
    writers = {FUXICTR: exports.write_fuxictr, TORCH_RECHUB: exports.write_torch_rechub}
    for peer in peers:
        writers[peer](scratch / peer, columns, parts)
    return {peer: scratch / peer for peer in peers}


def _recipe(model: str) -> dict:
    return cli.read_yaml(RECIPES / f"{model}.yaml")


def _settings(model: str, options: Arguments, shared: dict) -> dict:
    recipe = _recipe(model)
    retrieved = recipe.get("retrieved", 30)
    return shared | {
        "model": model,
        "options": recipe["model_options"],
        "epochs": options.epochs,
        "retrieved": retrieved,
        "searched": recipe["history_length"] + retrieved,  # behaviors that FuxiCTR's SIM is given
        **{name: recipe[name] for name in OF_RECIPE},
    }


def _turns(sides: dict, runs: int, scratch: Path) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {side: [] for side in sides}
    for seed in range(runs):
        for side, (python, script, settings) in sides.items():
            said, result = scratch / "settings.json", scratch / "result.json"
            said.write_text(json.dumps(settings | {"seed": seed}), encoding="utf-8")
            processes.run(f"benchmarks/peers/{script}", said, result, python=python)
            turns[side].append(Turn(**json.loads(result.read_text(encoding="utf-8"))))
            print(f"{settings['model']}, {side}: {turns[side][-1]}", flush=True)
    return turns


def _report(found: dict, counts: dict, options: Arguments, cores: int, workers: int) -> None:
    rows, conclusions = [], []
    for model, sides in found.items():
        times, processor = (
            {side: timing.Timing([getattr(turn, what) for turn in turns]) for side, turns in sides.items()}
            for what in ("seconds", "processor")
        )
        auc = {side: statistics.median(turn.auc for turn in turns) for side, turns in sides.items()}
        ratio, by_processor = (timing.median_ratio(kind["peer"], kind["ours"]) for kind in (times, processor))
        for side in ("peer", "ours"):
            turns = sides[side]
            rows.append(
                (
                    f"{model}, {PEERS[model][0].replace('==', ' ') if side == 'peer' else 'this project'}",
                    times[side],
                    f"{counts['train'] * options.epochs / times[side].median:,.0f}",
                    "1.00" if side == "peer" else f"{ratio:.2f}",
                    f"{processor[side].median:.1f} s",
                    "1.00" if side == "peer" else f"{by_processor:.2f}",
                    f"{auc[side]:.4f} ({min(t.auc for t in turns):.4f} to {max(t.auc for t in turns):.4f})",
                    f"{turns[0].weights:,}",
                    f"{max(turn.peak_gb for turn in turns):.2f} GB",
                )
            )
        gain = auc["ours"] - auc["peer"]
        conclusions.append(
            f"{model} {ratio:.2f} times the samples/s ({by_processor:.2f} by processor time) and {gain:+.4f} AUC"
        )
    threads = {turn.threads for sides in found.values() for turns in sides.values() for turn in turns}
    markdown.write(
        "ctr",
        "Traditional CTR models against FuxiCTR and Torch-RecHub",
        f"MovieLens-1M, {counts['train']:,} training and {counts['validation']:,} validation samples, {options.epochs} epoch(s), "
        f"median of {options.runs} turns (range); sizes, batches and AdamW of training/recipes/ml1m. On {cores} core(s), "
        f"{'/'.join(map(str, sorted(threads)))} thread(s) each, and {workers} loader process(es) beside it for the peers. Time is of "
        "training alone: no start, no reading of the tables, no validation. Processor time is of the same, loader processes among it; "
        "other programs on the machine change it less. "
        "Memory is of the training process. AUC is after the last epoch; turns differ by their seed.",
        rows,
        (
            "",
            "training",
            "samples/s",
            "times as fast",
            "processor time",
            "by processor time",
            "validation AUC",
            "weights",
            "peak memory",
        ),
        f"{'; '.join(conclusions)} (aim: at least 2 times, and no AUC below the peer's).\n\n{DIFFERENCES}",
    )


DIFFERENCES = """What differs:

* FuxiCTR puts the embeddings of a behavior's item and rating side by side, 64 wide; ours are summed, 32 wide. Its DIN sees behavior, \
target, difference and product, and padding too. It clips gradients to a norm of 10.
* FuxiCTR's SIM searches by itself, with an auxiliary loss, at every step: 30 of the last 60 behaviors, and attends to the last 30. \
Ours gets the last 30, and 30 found by SUBR in the whole history, with their distance in time; finding them is not in the time \
(benchmarks/subr.py has it).
* Torch-RecHub's DeepFM has batch normalization in its MLP and a first-order weight for each number of each embedding.
* Embeddings start with a standard deviation of 0.0001 in both peers, of 0.01 in ours; layers start as each project has it.
* The peers assemble a batch row by row in their loaders; ours are gathers of whole batches, in the same process."""


if __name__ == "__main__":
    cli.run(main)
