"""Scoring over the number of prompts: peak memory of evaluation/score.py as a whole process, and prompts a second.

The test prompts of a data set stand again and again in splits of rising size, each sample under a number of its own. Memory that grows
with them would show: every prompt is read, tokenized and scored.

examples:
  python benchmarks/scoring_memory.py --dataset rella/demo --config_name subr_k5 --base runs/demo/base
  python benchmarks/scoring_memory.py --dataset rella/ml1m --config_name subr_k30 --base runs/demo/base --prompts 10000 970009 3700000
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from harness import markdown, processes

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.tables import schema, store
from rella_hub.views import table_name

ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class Arguments:
    dataset: str = option("Data set folder whose test prompts are taken.", "rella/demo")
    config_name: str = option("Its prompts.", "subr_k5")
    base: str = option("Base model.", "runs/demo/base")
    prompts: list[int] = option("Sizes.", [10_000, 100_000, 1_000_000, 3_700_000])


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    rows, peaks = [], []
    for size in sorted(options.prompts):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "data"
            mean = _repeated(Path(options.dataset), options.config_name, folder, size)
            line = ["--base", options.base, "--dataset", folder, "--config_name", options.config_name]
            found = processes.run("evaluation/score.py", *line, "--output", Path(scratch) / "scores.parquet")
        peaks.append(found.peak_gb)
        rows.append((f"{size:,}", f"{found.seconds:,.0f} s", f"{size / found.seconds:,.1f}", f"{found.peak_gb:.2f} GB"))
        print(*rows[-1], flush=True)
    markdown.write(
        "scoring_memory",
        "Scoring over the number of prompts",
        f"evaluation/score.py as a whole process on the prompts of {options.config_name} ({mean:,.0f} characters each on average), one run "
        "each, loading included.",
        rows,
        ("prompts", "time", "prompts/s", "peak memory"),
        f"From {min(options.prompts):,} to {max(options.prompts):,} prompts the peak grows by {peaks[-1] - peaks[0]:.2f} GB (aim: at most "
        "2 GB beside the model).",
    )


def _repeated(source: Path, config_name: str, folder: Path, size: int) -> float:
    """A data set of `size` test prompts; how many characters one has on average."""
    stored = store.read(source, config_name, "test")
    text, label = stored["prompt"].combine_chunks(), stored["label"].combine_chunks()
    completion = stored["completion"].combine_chunks()

    def parts(shard: store.Shard):
        for begin in range(shard.begin, shard.end, ROWS_AT_ONCE):
            number = np.arange(begin, min(begin + ROWS_AT_ONCE, shard.end))
            row = pa.array(number % len(stored))
            yield pa.table(
                {
                    "sample_id": number,
                    "prompt": text.take(row),
                    "completion": completion.take(row),
                    "label": label.take(row),
                }
            )

    made_from = {"corpus": store.provenance(source, config_name)["corpus"], "inputs": {}}
    with store.writing(folder, config_name, schema.PROMPTS, {"test": size}, made_from) as writer:
        for shard in writer.shards:
            writer.write(shard, parts(shard))
    for name in (table_name(config_name), "samples", "interactions"):  # asked for by scoring, and not read
        (folder / name).symlink_to((source / name).resolve())
    return float(np.mean([len(one) for one in text.slice(0, 1000).to_pylist()]))


if __name__ == "__main__":
    cli.run(main)
