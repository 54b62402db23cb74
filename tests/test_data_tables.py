"""The paper's tables on the data, ours beside them, counted again here from the raw fixtures."""

import contextlib
from pathlib import Path

import pytest

from rella_hub.paper.tables import read_table
from rella_hub.reports.paper_table import write_table
from rella_hub.stages.arguments import FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.view import build_views
from rella_hub.tables import store

RAW = Path(__file__).parent / "fixtures" / "raw"
CORPORA = ("bookcrossing", "ml1m", "ml25m")


@pytest.fixture(scope="module")
def parent(tmp_path_factory) -> Path:
    """The folder that holds rella/<corpus> of all three, with recency at K = 5 and 7."""
    parent = tmp_path_factory.mktemp("tables")
    for corpus in CORPORA:
        where = FolderArguments(corpus=corpus, output=str(parent / "rella" / corpus))
        prepare(where, RawArguments(raw=str(RAW / corpus)))
        build_views(where, ViewArguments(view=["recency"], history_length=[5, 7]))
    return parent


def made(parent: Path, output: Path, name: str, *datasets: str) -> str:
    with contextlib.chdir(parent):
        write_table(name, [], list(datasets), output)
    return (output / f"{name}.md").read_text(encoding="utf-8")


def numbers_of(table: str, corpus_name: str) -> dict[str, list[str]]:
    """ "ours", "paper", "difference" -> the column of that name in the section of a corpus."""
    section = table.split("\n## ")
    (section,) = [part for part in section if part.startswith(f"{corpus_name}\n")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    columns = dict(zip(rows[0], zip(*rows[2:], strict=True), strict=True))
    assert columns.pop("") == ("users", "items", "samples", "fields", "features")
    return {name: list(column) for name, column in columns.items()}


def rows_of(folder: Path, name: str) -> list[dict]:
    return [row for split in store.table_splits(folder, name) for row in store.read(folder, name, split).to_pylist()]


@pytest.mark.parametrize(
    ("corpus", "name", "fields"),
    [
        ("ml1m", "MovieLens-1M", ["user_id", "gender", "age", "occupation", "zip_code", "item_id", "title", "genre"]),
        ("ml25m", "MovieLens-25M", ["user_id", "item_id", "title", "genre"]),
        (
            "bookcrossing",
            "BookCrossing",
            ["user_id", "country", "age", "item_id", "title", "author", "year", "publisher"],
        ),
    ],
)
def test_data_statistics_count_what_the_paper_counts(parent, tmp_path, corpus, name, fields):
    folder = parent / "rella" / corpus
    users, items, interactions, samples = (rows_of(folder, t) for t in ("users", "items", "interactions", "samples"))
    rated = {row["item_id"] for row in interactions}
    if corpus != "bookcrossing":  # there the paper counts every book of the file
        assert len(rated) < len(items)
        items = [row for row in items if row["item_id"] in rated]
    features = sum(len({row[field] for row in table if field in row}) for field in fields for table in (users, items))
    features += len({row["rating"] for row in interactions})
    expected = [len(users), len(items), len(samples), len(fields) + 2, features]
    text = made(parent, tmp_path, "data_statistics")
    cells = numbers_of(text, name)
    assert cells["ours"] == [f"{value:,}" for value in expected]
    assert f"\n{len(interactions):,} ratings; archive unverified" in text
    (paper,) = read_table("data_statistics").where({"corpus": corpus})
    printed = [paper[value] for value in ("users", "items", "samples", "fields", "features")]
    assert cells["paper"] == [f"{value:,}" for value in printed]
    assert [int(cell.replace(",", "")) for cell in cells["difference"]] == [
        ours - theirs for ours, theirs in zip(expected, printed, strict=True)
    ]


def test_tables_are_of_all_that_is_built_or_of_what_is_named(parent, tmp_path):
    whole = made(parent, tmp_path, "data_statistics")
    assert all(f"\n## {name}\n" in whole for name in ("BookCrossing", "MovieLens-1M", "MovieLens-25M"))
    assert "archive unverified" in whole
    assert "the paper prints the number of raw ratings, 25,000,095" in whole
    one = made(parent, tmp_path, "data_statistics", "rella/ml1m")
    assert "## MovieLens-1M" in one
    assert "## BookCrossing" not in one


def test_heterogeneity_stands_beside_the_paper_on_movielens_1m_alone(parent, tmp_path):
    table = made(parent, tmp_path, "heterogeneity")
    lines = {}
    for line in table.splitlines():
        if line.startswith("| recency "):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            lines.setdefault(int(cells[1]), []).append(cells[2:])
    assert [len(lines[k]) for k in (5, 7)] == [3, 3]
    assert [cells[1] for cells in lines[5]] == ["", "2.91", ""]  # bookcrossing, ml1m, ml25m
    assert all(cells[1:] == ["", ""] for cells in lines[7])  # the paper has no K = 7
    assert len(lines[10]) == 1, "the paper's rows are there where nothing is measured"
    assert lines[10][0] == ["", "4.19", ""]
    folder = parent / "rella" / "ml1m"
    genre = {row["item_id"]: row["genre"] for row in rows_of(folder, "items")}
    interactions = rows_of(folder, "interactions")
    position = {row["sample_id"]: row["position"] for row in rows_of(folder, "samples")}
    shown = [
        {genre[interactions[row["sample_id"] - position[row["sample_id"]] + p]["item_id"]] for p in row["positions"]}
        for row in store.read(folder, "view_recency_k5", "test").to_pylist()
    ]
    mean = sum(map(len, shown)) / len(shown)
    assert lines[5][1] == [f"{mean:.2f}", "2.91", f"{mean - 2.91:+.2f}"]


@pytest.mark.parametrize(
    ("name", "datasets", "said"),
    [
        ("overal", [], "no table 'overal' of the paper. Expected one of ablation"),
        ("data_statistics", ["rella/ml1m", "rella/ml1m"], "both belong to one corpus. Give one of them"),
        ("heterogeneity", ["nowhere"], "nowhere is no folder of a built data set"),
        ("data_statistics", [], "needs --dataset .* there is none in rella/"),
    ],
)
def test_what_cannot_be_made_is_said(parent, tmp_path, name, datasets, said):
    with (
        contextlib.chdir(parent if datasets[:1] == ["rella/ml1m"] else tmp_path),
        pytest.raises(ValueError, match=said),
    ):
        write_table(name, [], datasets, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_view_to_measure(tmp_path):
    where = FolderArguments(corpus="ml1m", output=str(tmp_path / "ml1m"))
    prepare(where, RawArguments(raw=str(RAW / "ml1m")))
    with pytest.raises(ValueError, match=r"No data set has a view of recency or subr\. Build some"):
        write_table("heterogeneity", [], [str(where.folder)], tmp_path / "out")
