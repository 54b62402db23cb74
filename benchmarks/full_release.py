"""The whole release of MovieLens-1M, item vectors given, and composing prompts against a loop over samples.

Prepare, three views and three prompt configs at K = 30, and the card, as one process.

example: python benchmarks/full_release.py --raw ml-1m.zip
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import markdown, processes, timing

from rella_hub import cli
from rella_hub.cli.options import option
from rella_hub.corpora import load_corpus
from rella_hub.prompts import pointwise
from rella_hub.stages.prompt import load_sources, shown_positions
from rella_hub.tables import store

HISTORY_LENGTH = 30
SAMPLES = 20_000


@dataclass(frozen=True)
class Arguments:
    raw: str = option("The MovieLens-1M archive.")
    runs: int = option("Counted builds.", 3)


def main() -> None:
    (options,) = cli.parse(Arguments, description=__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        first = Path(scratch) / "first"
        release(options.raw, first)
        builds = []
        for run in range(options.runs):
            folder = Path(scratch) / f"run{run}"
            shutil.copytree(first / "item_vectors", folder / "item_vectors")
            builds.append(release(options.raw, folder))
            rows = sum(store.count_rows(folder, f"{view}_k30", split) for view, split in PROMPT_SPLITS)
            shutil.rmtree(folder)
        loop = compare_with_loop(first)
    build = timing.Timing([one.seconds for one in builds])
    ratio = timing.median_ratio(loop["loop"], loop["composed"])
    markdown.write(
        "full_release",
        "The whole release of MovieLens-1M",
        f"`release.py --corpus ml1m --history_length 30` with the item vectors given, as a whole process: {rows:,} prompts in "
        f"three configs, median of {options.runs} builds (range). Below it, composing {SAMPLES:,} SUBR prompts against a loop over samples "
        "that formats and joins strings, interleaved; both give the same texts.",
        [
            (
                "whole release",
                build,
                f"{rows / build.median:,.0f} prompts/s",
                f"{max(one.peak_gb for one in builds):.2f} GB",
            ),
            ("composing, this project", loop["composed"], f"{SAMPLES / loop['composed'].median:,.0f} prompts/s", ""),
            ("composing, loop over samples", loop["loop"], f"{SAMPLES / loop['loop'].median:,.0f} prompts/s", ""),
        ],
        ("", "time", "rate", "peak memory"),
        f"Aim: 60 s and 4 GB on two cores. Composing is {ratio:.1f} times as fast as the loop.",
    )


PROMPT_SPLITS = [(view, split) for view in ("recency", "subr") for split in store.SPLITS] + [
    ("reit", split) for split in ("mixed", "validation", "test")
]


def release(raw: str, folder: Path) -> processes.Run:
    arguments = ["--corpus", "ml1m", "--raw", raw, "--history_length", HISTORY_LENGTH, "--output", folder]
    return processes.run("dataset_builders/release.py", *arguments)


def compare_with_loop(folder: Path) -> dict[str, timing.Timing]:
    corpus, source = load_corpus("ml1m"), load_sources(folder)
    batch = next(store.iterate(folder, "view_subr_k30", "test", SAMPLES))
    sample_id = batch["sample_id"].to_numpy()
    positions, shown = shown_positions(batch["positions"])
    rows = (sample_id - source.position[sample_id])[:, None] + positions
    known = pointwise.fragments(corpus.words, source.users, source.items, source.ratings, HISTORY_LENGTH)

    def composed() -> list[str]:
        user, item = source.user_code[sample_id], source.item_code
        return pointwise.prompts(known, user, item[sample_id], item[rows], source.rating[rows], shown).to_pylist()

    profile, subject = (f(source.users).to_list() for f in (corpus.words.profile, corpus.words.subject))
    title = corpus.words.title(source.items).to_list()

    def loop() -> list[str]:
        texts = []
        for sample, used, earlier in zip(sample_id, shown, rows, strict=True):
            user = source.user_code[sample]
            who = subject[user]
            lines = [
                f"{k}. {title[source.item_code[row]]} {pointwise.in_stars(source.rating[row])}\n"
                for k, row in enumerate(earlier[used])
            ]
            texts.append(
                f"{profile[user]}\n{who[0].upper()}{who[1:]} has watched these movies, the oldest first, and rated each one:\n"
                + "".join(lines)
                + f'Will {who} like the movie "{title[source.item_code[sample]]}"?\n'
                + f"The more stars a movie got, the more {who} liked it.\nAnswer with Yes or No and nothing else.\n"
            )
        return texts

    assert composed() == loop(), "both ways give the same prompts"
    return timing.interleaved({"composed": composed, "loop": loop}, runs=5)


if __name__ == "__main__":
    cli.run(main)
