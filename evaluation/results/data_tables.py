"""Tables on the data itself, ours beside the paper's, as Markdown."""

from __future__ import annotations

from pathlib import Path

from dataset_builders.cards.heterogeneity import heterogeneity
from dataset_builders.corpora import load_corpus
from dataset_builders.stages.view import config_name, table_name
from dataset_builders.tables import store
from dataset_builders.tables.store import replacing_file
from evaluation.paper_tables.read import read_table

TABLES = ("heterogeneity",)
VIEWS = ("recency", "subr")


def write_table(name: str, dataset: str | None, output: Path) -> None:
    """Print one table and write it to `<output>/<name>.md`."""
    if name not in TABLES:
        raise ValueError(f"There is no table {name!r} on the data. Expected one of {', '.join(TABLES)}.")
    if dataset is None or not Path(dataset).is_dir():
        raise ValueError(f"--table {name} needs --dataset with the folder of a built data set; got {dataset!r}.")
    text = _heterogeneity(Path(dataset))
    with replacing_file(output / f"{name}.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)


def _heterogeneity(folder: Path) -> str:
    """Mean number of distinct groups among the behaviors shown, test split, for every K that is built."""
    made_from = store.provenance(folder, "samples")
    corpus = load_corpus(made_from["corpus"])
    paper = read_table("heterogeneity")
    tables = set(store.table_names(folder))
    lengths = sorted({row["history_length"] for row in paper.rows})
    built = {(v, k): table_name(config_name(v, k)) for v in VIEWS for k in lengths}
    built = {key: name for key, name in built.items() if name in tables}
    if not built:
        raise ValueError(
            f"{folder} has no view with K in {lengths}. Build some: dataset_builders/view.py --history_length ..."
        )
    ours = heterogeneity(folder, list(built.values()), corpus.group_field)
    about = (
        f"Mean number of distinct values of `{corpus.group_field}` among the K behaviors shown, over the test split "
        f"({store.count_rows(folder, 'samples', 'test'):,} samples). Paper: {paper.source}. Archive: {made_from['raw_status']}, "
        f"SHA-256 {made_from['raw_sha256'][:16]}."
    )
    heading = ["| view | K | ours | paper | difference |", "|---|---:|---:|---:|---:|"]
    lines = [f"# Heterogeneity of {corpus.name}", "", about, "", *heading]
    for (view, length), name in built.items():
        printed = paper.where({"view": view, "history_length": length})[0]["distinct_genres"]
        lines.append(f"| {view} | {length} | {ours[name]:.2f} | {printed:.2f} | {ours[name] - printed:+.2f} |")
    return "\n".join(lines) + "\n"
