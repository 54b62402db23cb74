"""The numbers of the paper: readable, and in agreement with each other wherever the paper prints the same thing twice."""

import pytest
import yaml

from rella_hub.corpora import corpus_ids, load_corpus
from rella_hub.paper import tables as read
from rella_hub.paper.tables import read_table, table_names
from rella_hub.views import subr

CORPORA = {"bookcrossing", "ml1m", "ml25m"}
OF_NEXT_ITEMS = {"ml100k", "lastfm", "steam"}
METRICS = ("auc", "log_loss", "accuracy")
OF_RELLA = [name for name in table_names() if not name.startswith("slim_")]
GOOD = {
    "source": "A paper, table 1",
    "keys": ["system", "corpus"],
    "values": ["auc", "log_loss"],
    "rows": [["DIN", "ml1m", 0.7, 0.6], ["SIM", "ml1m", 0.8, 1.5], ["SIM", None, 1, 0]],
}


def cells(table: str, **wanted) -> tuple:
    """The metrics of the one row with the wanted keys."""
    (row,) = read_table(table).where(wanted)
    return tuple(row[name] for name in METRICS if name in row)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a table file and reads it."""
    monkeypatch.setattr(read, "FOLDER", tmp_path)

    def write_and_read(content) -> read.PaperTable:
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (tmp_path / "made_up.yaml").write_text(text, encoding="utf-8")
        return read_table("made_up")

    return write_and_read


def test_all_tables_are_there():
    assert table_names() == [
        "ablation",
        "compatibility",
        "data_statistics",
        "efficiency",
        "heterogeneity",
        "history_length",
        "llara_curriculum",
        "llara_main",
        "llara_reproduction",
        "llara_valid",
        "overall",
        "pca",
        "shots",
        "similarity",
        "slim_id_agnostic",
        "slim_id_based",
        "slim_popularity",
    ]


@pytest.mark.parametrize("name", OF_RELLA)
def test_table_reads_and_tells_its_source(name):
    table = read_table(name)
    assert ("LLaRA" if name.startswith("llara") else "2308.11131") in table.source
    assert table.rows
    assert {row["corpus"] for row in table.rows if "corpus" in row} <= (
        OF_NEXT_ITEMS if name.startswith("llara") else CORPORA
    )
    first_lines = (read.FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[:2]
    assert all(line.startswith("# ") for line in first_lines), "what it is, and where it is from"


@pytest.mark.parametrize("name", OF_RELLA)
def test_every_value_of_a_key_says_what_is_asked_of_ours(name):
    """What it does not say of a value of the paper, it never fills: that is meant where it is listed here, and nowhere else."""
    table = read_table(name)
    for key, asked in table.ours.items():
        values = {row[key] for row in table.rows}
        assert set(asked) <= values, "a name that is not in the table"
        assert values - set(asked) == ({"half N-shot"} if (name, key) == ("ablation", "system") else set())
    assert {key for key in table.keys if key not in table.ours} <= set(read.FACTS)


def test_main_table_has_every_system_on_every_corpus():
    table = read_table("overall")
    systems = {(row["system"], row["setting"]) for row in table.rows}
    assert len(systems) == 16
    assert len(table.rows) == 16 * len(CORPORA)
    few = table.where({"system": "ReLLa", "setting": "few-shot <1%", "corpus": "ml1m"})
    assert few == [
        {
            "system": "ReLLa",
            "setting": "few-shot <1%",
            "base": "Vicuna-13B",
            "history_length": 30,
            "corpus": "ml1m",
            "auc": 0.7927,
            "log_loss": 0.5475,
            "accuracy": 0.7196,
        }
    ]


@pytest.mark.parametrize("corpus", sorted(CORPORA))
def test_ablation_agrees_with_main_table(corpus):
    same = {
        "ReLLa": {"system": "ReLLa", "setting": "few-shot <1%"},
        "w/o IT": {"system": "ReLLa", "setting": "zero-shot"},
        "w/o IT and retrieval": {"system": "Vicuna-13B"},
    }
    for variant, row in same.items():
        assert cells("ablation", system=variant, corpus=corpus) == cells("overall", **row, corpus=corpus)


@pytest.mark.parametrize("setting", ["zero-shot", "few-shot <1%"])
def test_pca_and_similarity_agree_with_main_table(setting):
    ours = cells("overall", system="ReLLa", setting=setting, corpus="ml1m")
    assert cells("pca", setting=setting, dimension=512) == ours
    assert cells("similarity", setting=setting, similarity="cosine") == ours


def test_compatibility_agrees_with_main_table():
    for setting in ("few-shot <1%", "few-shot <10%"):
        ours = cells("overall", system="ReLLa", setting=setting, corpus="ml1m")
        assert cells("compatibility", system="ReiT", setting=setting, base="Vicuna-13B") == ours
    retrieved = cells("compatibility", system="SUBR", base="Vicuna-13B")
    assert retrieved == cells("overall", system="ReLLa", setting="zero-shot", corpus="ml1m")
    full = cells("compatibility", system="SIM", setting="full-shot")
    assert full == cells("overall", system="SIM", corpus="ml1m")


def test_zero_shot_rows_are_of_the_best_history_length():
    table = read_table("history_length")
    assert len(table.rows) == 5 * 6
    for base in ("Falcon-7B", "Mistral-7B", "Vicuna-7B", "Vicuna-13B"):
        best = max(row["auc"] for row in table.where({"base": base}))
        assert cells("compatibility", system="base model", base=base)[0] == best
    for base in ("Vicuna-7B", "Vicuna-13B"):
        best = max(row["auc"] for row in table.where({"base": base}))
        assert cells("overall", system=base, corpus="ml1m")[0] == best


def test_data_statistics_agree_with_the_corpora():
    for corpus in set(corpus_ids()) & CORPORA:
        expected = load_corpus(corpus).expected_rows
        (row,) = read_table("data_statistics").where({"corpus": corpus})
        assert row["samples"] in (expected["samples"], expected.get("interactions"))


def test_shown_behaviors_are_more_alike_with_retrieval():
    table = read_table("heterogeneity")
    by_view = {view: [row["distinct_genres"] for row in table.where({"view": view})] for view in ("recency", "subr")}
    assert all(s < r for s, r in zip(by_view["subr"], by_view["recency"], strict=True))
    for numbers in by_view.values():
        assert numbers == sorted(numbers)


def test_similarities_are_ones_that_subr_has():
    assert {row["similarity"] for row in read_table("similarity").rows} <= set(subr.SIMILARITIES)


def test_printed_trainable_weights_are_a_hundred_times_the_counted_ones():
    (row,) = read_table("efficiency").where({"system": "ReLLa"})
    lora_of_vicuna_13b = 40 * 2 * (5120 * 8 + 8 * 5120)
    assert row["trainable_weights"] / lora_of_vicuna_13b == pytest.approx(100, rel=0.01)


def test_where_refuses_a_key_that_is_none():
    with pytest.raises(ValueError, match=r"no key 'sytem'.*system"):
        read_table("overall").where({"sytem": "SIM"})


def test_unknown_table_is_an_error():
    with pytest.raises(ValueError, match=r"no table 'overal'.*overall"):
        read_table("overal")


def test_well_formed_table_is_read_in_order(written):
    table = written(GOOD)
    assert [row["system"] for row in table.rows] == ["DIN", "SIM", "SIM"]
    assert table.where({"system": "SIM", "corpus": None}) == [
        {"system": "SIM", "corpus": None, "auc": 1, "log_loss": 0}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not a YAML file"),
        ("- 1", "must have source, keys, values, rows, may have title.*Got: list"),
        ({key: value for key, value in GOOD.items() if key != "source"}, "must have source"),
        (GOOD | {"caption": "x"}, "Got: .*caption"),
        (GOOD | {"source": " "}, "source is ' '"),
        (GOOD | {"values": []}, "values are"),
        (GOOD | {"rows": None}, "rows are None"),
        (GOOD | {"values": ["auc", "system"]}, "'system' is not a name of its own"),
        (GOOD | {"rows": [["DIN", "ml1m", 0.7]]}, "row 1 has 3 cells, expected 4"),
        (GOOD | {"rows": ["DIN"]}, "row 1 has 'DIN'"),
        (GOOD | {"rows": [*GOOD["rows"], ["DIN", "ml1m", 0.1, 0.1]]}, "DIN, ml1m twice"),
        (GOOD | {"rows": [["DIN", 1.5, 0.7, 0.6]]}, "corpus is 1.5"),
        (GOOD | {"rows": [["DIN", True, 0.7, 0.6]]}, "corpus is True"),
        (GOOD | {"rows": [["DIN", "ml1m", 1.7, 0.6]]}, "auc is 1.7, expected a number from 0 to 1"),
        (GOOD | {"rows": [["DIN", "ml1m", 0.7, -0.6]]}, "log_loss is -0.6"),
        (GOOD | {"rows": [["DIN", "ml1m", "0,7", 0.6]]}, "auc is '0,7'"),
        (GOOD | {"rows": [["DIN", "ml1m", None, 0.6]]}, "auc is None"),
        (GOOD | {"rows": [["DIN", "ml1m", 0.7, float("nan")]]}, "log_loss is nan"),
        (GOOD | {"rows": [["DIN", "ml1m", 0.7, float("inf")]]}, "log_loss is inf"),
        (GOOD | {"title": 3}, "its title is 3, expected a str"),
        (GOOD | {"shown": ["base"]}, "'base' is none of its keys. Expected one of system, corpus"),
        (GOOD | {"ours": {"base": {}}}, "'base' is none of its keys"),
        (GOOD | {"ours": {"system": {"DIN": "din"}}}, "ours has {'DIN': 'din'} for system, expected facts"),
        (GOOD | {"ours": {"system": {"DIN": {"modle": "din"}}}}, "the fact 'modle'. Expected one of .*model"),
        (GOOD | {"measured_on": "air"}, "measured on 'air', expected scores, data, choices or costs"),
    ],
)
def test_malformed_table_is_an_error(written, content, message):
    with pytest.raises(ValueError, match=message):
        written(content)
