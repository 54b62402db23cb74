"""Records of other people: what a data set, a score file, an adapter or a CTR model says of itself is data, or refused in one line."""

import contextlib
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ctr_release import RUN
from hub_server import HubServer
from huggingface_hub import constants
from safetensors.numpy import save_file

from rella_hub.language_models.load import adapter_identity, training_samples
from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.systems.ctr.load import read_trained
from rella_hub.tables import checked, store
from rella_hub.tables.scores import write_scores

FIXTURES = Path(__file__).parent / "fixtures"
DEEP = "[" * 200_000 + "]" * 200_000
HOSTILE = [
    *(
        "../../canary/x",
        "/etc/passwd",
        "..",
        "os",
        "__init__",
        "demo",
        "a\nb",
        "\x1b[31mred",
        "<script>alert(1)</script>",
    ),
    *("a|b", "{{ 7 * 7 }}", "", "x" * 5_000, "x" * 2_000_000, "\ud800", "\0", "C:\\x", "https://canary.example/x"),
    *(10**30, 2**62, -1, 0, 1.5, 1e308, float("nan"), None, True, [], {}, ["a", ["b"]], {"a": {"b": [1]}}),
]


def nested(depth: int) -> list:
    found = []
    for _ in range(depth):
        found = [found]
    return found


def spoilt(record: dict, chance: random.Random) -> dict:
    """The record with one to three of its values, at any depth, replaced or removed."""
    spoiled = json.loads(json.dumps(record))
    for _ in range(chance.randint(1, 3)):
        at = spoiled
        while True:
            key = chance.choice(list(at)) if at else "x"
            if not isinstance(at.get(key), dict) or not at[key] or chance.random() < 0.4:
                break
            at = at[key]
        if chance.random() < 0.15:
            at.pop(key, None)
        else:
            at[key] = chance.choice([*HOSTILE, nested(60)])
    return spoiled


def give(path: Path, record: dict | str | bytes) -> None:
    """Put a record into a Parquet file in place of its own."""
    table = pq.read_table(path)
    text = record if isinstance(record, (str, bytes)) else json.dumps(record)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, store.PROVENANCE_KEY: text}), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The invented MovieLens with one view and its prompts, and scores of a base model on its test split."""
    folder = tmp_path_factory.mktemp("records")
    where, views = FolderArguments("ml1m", str(folder / "rella/ml1m")), ViewArguments(["recency"], [3])
    prepare(where, RawArguments(raw=str(FIXTURES / "raw/ml1m")))
    build_views(where, views)
    build_prompts(where, views, PromptArguments())
    rows = store.read(where.folder, "recency_k3", "test", ["sample_id", "label"])
    label = rows["label"].to_numpy()
    identity = {"name": "org/base", "revision": "0123abcd", "weights": "sha256:0"}
    record = {
        **{
            "system": "zero_shot",
            "dataset": "rella/ml1m",
            "config_name": "recency_k3",
            "split": "test",
            "corpus": "ml1m",
        },
        **{"base": "org/base", "base_identity": identity, "adapter": None, "adapter_identity": None, "limit": None},
        **{"dataset_folder": str(where.folder), "seed": 0, "fingerprint": "0" * 16, "training_samples": None},
        **{"libraries": {"torch": "2.13"}, "seconds": 1.5, "tokens": 7, "dataset_revision": None, "dtype": "auto"},
    }
    score = np.linspace(0.1, 0.9, len(label))
    write_scores(folder / "scores.parquet", rows["sample_id"].to_numpy(), None, label, score, record)
    return folder


@pytest.fixture
def place(folder, tmp_path, monkeypatch):
    """A copy to be spoilt, beside a canary that must not change, and a server that nothing must be sent to."""
    copy = shutil.copytree(folder, tmp_path / "here")
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "x").write_text("canary")
    monkeypatch.chdir(copy)
    with HubServer() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "write-token")
        yield copy
        assert not hub.repositories
        assert not [request for request in hub.requests if request.method not in ("GET", "HEAD")]
    assert {path.name: path.read_text() for path in canary.iterdir()} == {"x": "canary"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary", "here"], "nothing was written elsewhere"


def require_clean_end(code: int, said: str, tried: object) -> None:
    """Done, or one line that says what is wrong."""
    shown = repr(tried)[:300]
    assert code in (0, 2), shown
    if code == 2:
        (line,) = [line for line in said.splitlines() if not line.startswith(("WARNING", "usage"))]
        assert line.startswith("error: "), (shown, line)
        assert line.isprintable(), (shown, line)
        assert len(line) < 6_000, shown


def test_any_record_of_scores_makes_a_report_or_one_clean_line(place, command, capsys):
    path, chance = place / "scores.parquet", random.Random(1)
    record, whole = json.loads(pq.read_schema(path).metadata[store.PROVENANCE_KEY]), path.read_bytes()
    ends = set()
    for round in range(16):
        path.write_bytes(whole)
        tried = spoilt(record, chance)
        give(path, tried)
        table = ["--table", "overall"] if round % 2 else ["--resamples", 40]
        code = command("evaluation/report.py", "--scores", path, "--output", place / "report", *table)
        require_clean_end(code, capsys.readouterr().err, tried)
        ends.add(code)
    assert ends == {0, 2}, "some records are still right"


def test_any_record_of_a_table_makes_a_card_and_a_plan_or_one_clean_line(place, command, capsys):
    chance, data = random.Random(2), place / "rella/ml1m"
    for _ in range(12):
        path = chance.choice(sorted(data.rglob("*.parquet")))
        whole, record = path.read_bytes(), json.loads(pq.read_schema(path).metadata[store.PROVENANCE_KEY])
        tried = spoilt(record, chance)
        give(path, tried)
        for line in (("card.py",), ("push.py", "--dry_run", "true")):
            code = command(f"dataset_builders/{line[0]}", "--corpus", "ml1m", "--output", data, *line[1:])
            require_clean_end(code, capsys.readouterr().err, tried)
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "text", [DEEP, DEEP.replace("]", ""), "null", "[]", "1" * 5_000, b"\xff\xfe", '{"a": 1e999999}']
)
def test_a_record_that_is_none_is_one_line(place, command, capsys, text):
    give(place / "rella/ml1m/samples/train-00000-of-00001.parquet", text)
    assert command("dataset_builders/card.py", "--corpus", "ml1m") == 2
    require_clean_end(2, capsys.readouterr().err, text)
    give(place / "scores.parquet", text)
    assert command("evaluation/report.py", "--scores", place / "scores.parquet", "--output", place / "report") == 2
    require_clean_end(2, capsys.readouterr().err, text)


@pytest.mark.parametrize("corpus", ["../x", "..", "/tmp/x", "a/b", "a\0b", ".hidden", ""])
def test_a_corpus_that_a_data_set_names_is_no_path(place, corpus):
    for path in (place / "rella/ml1m/recency_k3").iterdir():
        give(path, json.loads(pq.read_schema(path).metadata[store.PROVENANCE_KEY]) | {"corpus": corpus})
    with pytest.raises(ValueError, match=r"its corpus is .*expected a plain name"):
        store.provenance(place / "rella/ml1m", "recency_k3")


def test_two_tables_that_were_made_from_each_other_are_refused(place, command, capsys):
    data = place / "rella/ml1m"
    prints = {name: store.provenance(data, name)["fingerprint"] for name in ("view_recency_k3", "recency_k3")}
    for path in (data / "view_recency_k3").iterdir():
        give(path, json.loads(pq.read_schema(path).metadata[store.PROVENANCE_KEY]) | {"inputs": prints})
    assert command("dataset_builders/card.py", "--corpus", "ml1m") == 2
    assert "says that it was made from itself" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "spoilt", "said"),
    [
        (
            "adapter_config.json",
            {"megatron_config": {"x": 1}, "megatron_core": "antigravity"},
            "has megatron_config",
        ),
        ("adapter_config.json", DEEP, "nested more than"),
        ("adapter_config.json", "[1]", "expected a group of values"),
        ("training.json", {"training_samples": "many"}, "training_samples: 'many'; expected a number"),
        ("training.json", {"training_samples": 10**30}, "which no record of this project does"),
    ],
)
def test_an_adapter_chooses_nothing_here(tmp_path, name, spoilt, said):
    save_file({"a": np.zeros(1, np.float32)}, tmp_path / "adapter_model.safetensors")
    whole = {"peft_type": "LORA"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(whole))
    (tmp_path / name).write_text(spoilt if isinstance(spoilt, str) else json.dumps(whole | spoilt))
    with pytest.raises(ValueError, match=said):
        (training_samples if name == "training.json" else adapter_identity)(str(tmp_path))


def test_whatever_a_ctr_model_says_of_itself_it_is_read_or_refused(ctr_release, tmp_path):
    model, chance = shutil.copytree(ctr_release.folder / RUN / "model", tmp_path / "model"), random.Random(3)
    ends = set()
    for _ in range(60):
        path = model / chance.choice(["features.json", "config.json"])
        whole = path.read_text()
        path.write_text(json.dumps(spoilt(json.loads(whole), chance)))
        read = False
        with contextlib.suppress(ValueError):
            read = bool(read_trained(str(model)))
        path.write_text(whole)
        ends.add(read)
    assert ends == {True, False}, "some say nothing wrong"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1]\nb: [*x, *x]", r"\*x repeats another value"),
        ("[" * 1_500, "recursion depth"),
        ("1: a\n? [x]\n: b", "is not a YAML file"),
        ("a: !!python/object/apply:os.system [true]", "is not a YAML file"),
        (f"a: 0x{'f' * 5_000}", "a number of 20,000 bits"),
    ],
)
def test_yaml_that_is_no_record(text, said):
    with pytest.raises(ValueError, match=said) as raised:
        checked.parse_yaml(text, "recipe.yaml")
    assert len(str(raised.value).splitlines()) == 1


def test_what_a_record_lacks_is_an_error_of_its_file():
    record = checked.require({"a": {"b": 1}}, {}, "x.parquet")
    assert record["a"]["b"] == 1
    assert record.get("c") is None
    with pytest.raises(ValueError, match=r"x.parquet does not say its c. It has: a. Make it again."):
        record["c"]
