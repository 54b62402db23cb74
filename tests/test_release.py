"""The everyday command, from raw files to a data set that `load_dataset` reads: run as a user runs it, far from the repository."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from datasets import ClassLabel, get_dataset_config_names, load_dataset

from rella_hub.cards.dataset.card import write_card
from rella_hub.files.replace import replacing
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import schema, store

REPOSITORY = Path(__file__).parents[1]
PROMPTS = ["recency_k3", "recency_k5", "reit_k3", "reit_k5", "subr_k3", "subr_k5"]
TABLES = ["interactions", "samples", "users", "items", "item_vectors"]
TRAIN, VALIDATION, TEST = 55, 6, 8


def release(folder: Path, raw: Path, encoder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(REPOSITORY / "dataset_builders" / "release.py"), "--corpus", "ml1m"]
    command += ["--raw", str(raw), "--encoder", str(encoder), "--dimension", "6", *options]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / ".cache")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def built(tmp_path_factory, raw_ml1m, tiny_encoder):
    """The folder in which the command was run, and what it said."""
    folder = tmp_path_factory.mktemp("release")
    run = release(folder, raw_ml1m, tiny_encoder, "--history_length", "3", "5")
    assert run.returncode == 0, run.stderr
    return folder, run


@pytest.fixture
def parent(built, monkeypatch) -> Path:
    """The folder that holds rella/ml1m, as the current one."""
    monkeypatch.chdir(built[0])
    return built[0]


@pytest.fixture
def card(parent) -> str:
    return (parent / "rella/ml1m/README.md").read_text(encoding="utf-8")


@pytest.fixture
def metadata(card) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_it_says_what_it_made(built):
    _, run = built
    assert "10 users, 22 items, 117 interactions, 69 samples, 55 train, 6 validation, 8 test" in run.stdout
    for name in PROMPTS:
        assert f"rella/ml1m/{name}: " in run.stdout
    assert "rella/ml1m/README.md: 17 configs." in run.stdout
    assert "cannot be checked against the official MovieLens-1M" in run.stderr


def test_one_line_loads_it(parent):
    loaded = load_dataset("rella/ml1m", "subr_k5")
    assert {split: len(rows) for split, rows in loaded.items()} == {
        "train": TRAIN,
        "validation": VALIDATION,
        "test": TEST,
    }
    assert loaded["train"].features == schema.PROMPTS
    assert loaded["train"].features["label"] == ClassLabel(names=["No", "Yes"])
    for split in loaded:
        assert loaded[split].to_list() == store.read(parent / "rella/ml1m", "subr_k5", split).to_pylist()


def test_it_streams(parent):
    streamed = load_dataset("rella/ml1m", "subr_k5", streaming=True)
    for split in streamed:
        assert list(streamed[split]) == store.read(parent / "rella/ml1m", "subr_k5", split).to_pylist()


def test_every_table_loads_with_the_features_it_was_written_with(parent):
    names = get_dataset_config_names("rella/ml1m")
    assert names == [*PROMPTS, *TABLES, *(f"view_{name}" for name in PROMPTS)]
    for name in names:
        for split, rows in load_dataset("rella/ml1m", name).items():
            assert rows.to_list() == store.read(parent / "rella/ml1m", name, split).to_pylist()
    assert load_dataset("rella/ml1m", "item_vectors", split="train").features == schema.item_vectors(6)
    assert load_dataset("rella/ml1m", "samples", split="test").features == schema.SAMPLES
    assert load_dataset("rella/ml1m", "view_subr_k3", split="test").features == schema.VIEWS


def test_without_a_name_it_is_subr_with_the_longest_history(parent):
    assert (
        load_dataset("rella/ml1m", split="test").to_list()
        == load_dataset("rella/ml1m", "subr_k5", split="test").to_list()
    )


def test_mixed_shows_every_sample_twice_in_turn(parent):
    mixed = load_dataset("rella/ml1m", "reit_k5", split="mixed")
    assert len(mixed) == 2 * TRAIN
    parts = [load_dataset("rella/ml1m", name, split="train") for name in ("recency_k5", "subr_k5")]
    assert mixed.to_list() == [row for pair in zip(*parts, strict=True) for row in pair]
    assert set(load_dataset("rella/ml1m", "reit_k5")) == {"mixed", "validation", "test"}


def test_n_shots_are_nested_in_every_larger_n(parent):
    def shots(name, split, n):
        return load_dataset("rella/ml1m", name, split=f"{split}[:{n}]")["sample_id"]

    few, many = shots("subr_k5", "train", 4), shots("subr_k5", "train", 32)
    assert list(many)[:4] == list(few) == list(shots("recency_k3", "train", 4))
    assert list(dict.fromkeys(shots("reit_k5", "mixed", 2 * 4))) == list(few)


def test_the_metadata_counts_what_is_there(parent, metadata):
    assert [config["config_name"] for config in metadata["configs"] if config.get("default")] == ["subr_k5"]
    assert metadata["license"] == "other"
    assert metadata["size_categories"] == ["n<1K"]
    for info in metadata["dataset_info"]:
        table = parent / "rella/ml1m" / info["config_name"]
        rows = {s["name"]: s["num_examples"] for s in info["splits"]}
        assert rows == store.provenance(table.parent, table.name)["rows"]
        assert info["download_size"] == sum(path.stat().st_size for path in table.iterdir())
        assert info["dataset_size"] == sum(s["num_bytes"] for s in info["splits"])


def test_the_card_says_what_was_computed(parent, card, metadata):
    body = card.split("---\n", 2)[2]
    assert "**Unverified: made from an unpacked folder**" in body
    assert not re.search(r"\{\{|\{%|\bNone\b|\bnan\b|Undefined|TODO", body)
    assert not re.search(r"\n\n\n\n", body)
    for config in metadata["configs"]:
        assert f"`{config['config_name']}`" in body
    for said in (
        "| interactions | 117 |",
        "| movies, rated and in all | 21 of 22 |",
        "| distinct `zip_code` | 9 |",
        "69 of 117",
        "`pointwise`, version 1",
        "reduced by PCA to 6 dimensions",
        "by cosine",
        "@article{harper2015movielens",
        "@inproceedings{lin2024rella",
        "forbids redistribution",
        "off by one",
        'load_dataset("rella/ml1m", "subr_k5", streaming=True)',
    ):
        assert said in body
    assert str(parent) not in card
    folder = parent / "rella/ml1m"
    samples = store.read(folder, "samples", "train")
    yes = sum(samples["label"].to_pylist()) / TRAIN
    assert f"| train | 55 | {yes:.1%} | {len(set(samples['user_id'].to_pylist()))} | 0 |" in body
    history = sorted(samples["position"].to_pylist())
    assert f"| train | {history[0]} | {history[2]} |" in body
    assert f"| {history[-1]} |" in body
    for name in ("recency_k3", "subr_k5"):
        first = store.read(folder, name, "test").to_pylist()[0]
        assert f"```text\n{first['prompt']}```" in body
        assert f"```text\n{first['completion']}\n```" in body
        assert f"| `{name}` | test | " in body  # token lengths


def test_heterogeneity_in_the_card_is_that_of_a_plain_loop(parent, card):
    folder = parent / "rella/ml1m"
    genre = {row["item_id"]: row["genre"] for row in store.read(folder, "items").to_pylist()}
    items = store.read(folder, "interactions")["item_id"].to_pylist()
    position = {row["sample_id"]: row["position"] for row in store.read(folder, "samples", "test").to_pylist()}
    for view in ("recency", "subr"):
        means = []
        for history_length in (3, 5):
            rows = store.read(folder, f"view_{view}_k{history_length}", "test").to_pylist()
            distinct = [
                len({genre[items[r["sample_id"] - position[r["sample_id"]] + p]] for p in r["positions"]}) for r in rows
            ]
            means.append(f"{sum(distinct) / len(distinct):.2f}")
        assert f"| {view} | {' | '.join(means)} |" in card


def test_a_second_run_keeps_everything(built, raw_ml1m, tiny_encoder):
    folder, _ = built
    before = {path: path.stat().st_mtime_ns for path in (folder / "rella").rglob("*") if path.is_file()}
    again = release(folder, raw_ml1m, tiny_encoder, "--history_length", "3", "5")
    assert again.returncode == 0, again.stderr
    for name in (*PROMPTS, *TABLES):
        assert f"rella/ml1m/{name}: unchanged inputs, kept." in again.stdout
    assert "rella/ml1m/README.md: unchanged, kept." in again.stdout
    assert {path: path.stat().st_mtime_ns for path in (folder / "rella").rglob("*") if path.is_file()} == before


# From here on in this process: what the card says of folders that are unlike the one above.


def build(where: FolderArguments, raw: Path, seed: int = 0, view=("recency",)) -> None:
    views = ViewArguments(view=list(view), history_length=[3])
    prepare(where, RawArguments(raw=str(raw), seed=seed))
    build_views(where, views)
    build_prompts(where, views, PromptArguments())
    write_card(where)


@pytest.fixture
def where(tmp_path, monkeypatch) -> FolderArguments:
    monkeypatch.chdir(tmp_path)
    return FolderArguments(corpus="ml1m", overwrite=True)


def test_a_rebuilt_folder_is_not_served_from_the_cache(where, raw_ml1m):
    for seed in (0, 1, 0):
        build(where, raw_ml1m, seed)
        for name in ("recency_k3", "samples"):
            loaded = load_dataset("rella/ml1m", name, split="train")
            assert loaded.to_list() == store.read(where.folder, name).to_pylist()


def test_a_rebuilt_table_of_the_very_same_size_is_not_served_from_the_cache(where, raw_ml1m):
    """`load_dataset` keys its cache by what the card says of sizes and by the hash in each description, not by the files."""
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    users = store.read(where.folder, "users")
    zip_codes = users["zip_code"].to_pylist()
    made_from = {k: v for k, v in store.provenance(where.folder, "users").items() if k not in ("fingerprint", "rows")}
    features = schema.text_table("user_id", users.column_names[1:])

    def sizes_after_rewriting(first: str) -> str:
        column = pa.array([first, *zip_codes[1:]])
        table = users.set_column(users.column_names.index("zip_code"), "zip_code", column)
        store.write(where.folder, "users", features, {"train": table}, made_from)
        write_card(where)
        metadata = (where.folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]
        assert list(load_dataset("rella/ml1m", "users", split="train")["zip_code"]) == column.to_pylist()
        return re.sub(r"content sha256: \w+", "", metadata)

    sizes = [sizes_after_rewriting(first) for first in ("48067", "48068", "48069", "71359", "82460")]
    assert len(set(sizes)) < len(sizes), "no two of these tables have the same size, so nothing was shown"


def test_the_same_tables_give_the_same_card_anywhere(where, raw_ml1m, tmp_path):
    build(where, raw_ml1m)
    elsewhere = FolderArguments(corpus="ml1m", output=str(tmp_path / "elsewhere" / "ml1m"))
    build(elsewhere, raw_ml1m)
    assert (where.folder / "README.md").read_bytes() == (elsewhere.folder / "README.md").read_bytes()


def test_a_card_of_the_prepared_tables_alone(where, raw_ml1m):
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    write_card(where)
    card = (where.folder / "README.md").read_text(encoding="utf-8")
    assert get_dataset_config_names("rella/ml1m") == ["interactions", "samples", "users", "items"]
    assert 'load_dataset("rella/ml1m", "interactions")' in card
    assert "Examples" not in card
    assert "Heterogeneity" not in card
    assert len(load_dataset("rella/ml1m")["train"]) == 117


def test_without_item_vectors_the_card_says_why_it_counts_no_tokens(where, raw_ml1m):
    build(where, raw_ml1m)
    card = (where.folder / "README.md").read_text(encoding="utf-8")
    assert "in tokens are not given: there are no item vectors" in card
    assert 'load_dataset("rella/ml1m", "recency_k3", split="train[:1024]")' in card


def test_a_table_that_is_gone_vanishes_from_the_card(where, raw_ml1m):
    build(where, raw_ml1m)
    for name in ("recency_k3", "view_recency_k3"):
        for path in (where.folder / name).iterdir():
            path.unlink()
        (where.folder / name).rmdir()
    write_card(where)
    assert "recency_k3" not in (where.folder / "README.md").read_text(encoding="utf-8")
    assert len(load_dataset("rella/ml1m", "samples", split="test")) == TEST


def test_a_table_made_from_replaced_ones_is_left_out(where, raw_ml1m, capsys):
    build(where, raw_ml1m)
    prepare(where, RawArguments(raw=str(raw_ml1m), seed=1))
    write_card(where)
    assert "recency_k3 was made from another" in capsys.readouterr().err
    assert get_dataset_config_names("rella/ml1m") == ["interactions", "samples", "users", "items"]


def test_tables_of_two_builds_are_refused(where, raw_ml1m, tmp_path):
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    other = FolderArguments(corpus="ml1m", output=str(tmp_path / "other"))
    prepare(other, RawArguments(raw=str(raw_ml1m), seed=1))
    with replacing(where.folder / "samples", store.own_files) as temporary:
        for path in (other.folder / "samples").iterdir():
            (temporary / path.name).write_bytes(path.read_bytes())
    with pytest.raises(
        ValueError, match=r"samples and .*interactions were made from different inputs.*--overwrite true"
    ):
        write_card(where)


def test_a_folder_of_another_corpus_is_refused(where, raw_ml1m):
    prepare(where, RawArguments(raw=str(raw_ml1m)))
    with pytest.raises(ValueError, match="holds the corpus 'ml1m', asked for is 'demo'"):
        write_card(FolderArguments(corpus="demo", output=str(where.folder)))


def test_a_card_without_tables_is_refused(where):
    with pytest.raises(ValueError, match="users is missing; it is made by an earlier stage"):
        write_card(where)
    assert not where.folder.exists()
