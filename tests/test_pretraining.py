"""The text a small base model reads: no validation or test label, not the prompts' question; and how the model is made of it."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from raw_users import HISTORY_LENGTH, MOVIES, TITLES, USERS, build
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

from rella_hub.corpora import UNKNOWN, load_corpus
from rella_hub.pretraining import run as pretraining
from rella_hub.pretraining.text import diaries, item_documents
from rella_hub.pretraining.tokenizer import train_tokenizer
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store
from training.pretrain import PretrainArguments

REPOSITORY = Path(__file__).parents[1]
RATING_LINE = re.compile(r"(\d+)\. (.*) \((\d) stars?\)")


@pytest.fixture(scope="module", params=[0, 1, 2], ids="corpus {}".format)
def folder(request, tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("pretraining"), request.param)


def all_diaries(folder: Path, view: str = "recency") -> list[str]:
    """One for each training sample."""
    return diaries(folder, view, HISTORY_LENGTH, 10**6, np.random.default_rng(0))


def rows_of(folder: Path, name: str, split: str = "train") -> list[dict]:
    return store.read(folder, name, split).to_pylist()


def users_by_profile(folder: Path) -> dict[str, int]:
    users = pl.from_arrow(store.read(folder, "users"))
    found = dict(zip(load_corpus("ml1m").words.profile(users).to_list(), users["user_id"].to_list(), strict=True))
    assert len(found) == USERS
    return found


def told_in(diary: str) -> tuple[str, list[tuple[str, int]]]:
    """The profile, and title and stars of every rating line."""
    profile, _, *lines = diary.splitlines()
    matches = [RATING_LINE.fullmatch(line) for line in lines]
    assert [int(match[1]) for match in matches] == list(range(len(lines)))
    return profile, [(match[2], int(match[3])) for match in matches]


@pytest.mark.parametrize("view", ["recency", "subr"])
def test_every_rating_told_is_a_training_label_or_older(folder, view):
    """The property that keeps validation and test honest: of each user, nothing after the last training sample."""
    title = {row["item_id"]: row["title"] for row in rows_of(folder, "items")}
    user_of, interactions = users_by_profile(folder), rows_of(folder, "interactions")
    last_trained = {}
    for sample in rows_of(folder, "samples"):
        last_trained[sample["user_id"]] = max(sample["sample_id"], last_trained.get(sample["user_id"], 0))
    allowed = {user: set() for user in last_trained}
    later = {user: set() for user in last_trained}
    for row, interaction in enumerate(interactions):
        user = interaction["user_id"]
        if user in last_trained:
            told = (title[interaction["item_id"]], int(interaction["rating"]))
            (allowed if row <= last_trained[user] else later)[user].add(told)
    assert sum(map(len, later.values())) > 20, "a corpus without later ratings would prove nothing"
    texts = all_diaries(folder, view)
    assert len(texts) == len(rows_of(folder, "samples"))
    for profile, ratings in map(told_in, texts):
        assert set(ratings) <= allowed[user_of[profile]]
        assert not set(ratings) & later[user_of[profile]]


@pytest.mark.parametrize("view", ["recency", "subr"])
def test_a_diary_is_what_the_view_shows_and_the_target(folder, view):
    """Against a plain loop over the tables."""
    title = {row["item_id"]: row["title"] for row in rows_of(folder, "items")}
    user_of, interactions = users_by_profile(folder), rows_of(folder, "interactions")
    position = {row["sample_id"]: row["position"] for row in rows_of(folder, "samples")}
    expected = []
    for row in rows_of(folder, f"view_{view}_k{HISTORY_LENGTH}"):
        begin = row["sample_id"] - position[row["sample_id"]]
        shown = [interactions[begin + p] for p in row["positions"]] + [interactions[row["sample_id"]]]
        expected.append((shown[-1]["user_id"], [(title[i["item_id"]], int(i["rating"])) for i in shown]))
    found = [(user_of[profile], ratings) for profile, ratings in map(told_in, all_diaries(folder, view))]
    assert sorted(found) == sorted(expected)


def test_the_question_of_the_prompts_is_never_asked(folder):
    """Zero-shot stays zero-shot: neither the question nor the line behind it stands in any document."""
    items = pl.from_arrow(store.read(folder, "items"))
    titles = set(load_corpus("ml1m").words.title(items))
    texts = [*all_diaries(folder), *all_diaries(folder, "subr"), *item_documents(folder, np.random.default_rng(0))]
    for text in texts:
        for title in titles:
            text = text.replace(title, "")  # one of the invented titles is such a question
        assert not re.search(r"\bWill\b", text)
        assert "like" not in text


def test_of_an_unknown_fact_nothing_is_asked(tmp_path):
    where = FolderArguments(corpus="ml25m", output=str(tmp_path / "ml25m"))
    prepare(where, RawArguments(raw=str(REPOSITORY / "tests" / "fixtures" / "raw" / "ml25m")))
    items = rows_of(where.folder, "items")
    texts = item_documents(where.folder, np.random.default_rng(0))
    assert len(texts) == len(items) + 2 * sum(row["genre"] != UNKNOWN for row in items) < 3 * len(items)
    assert not any("unknown" in text or "no genres" in text for text in texts)


def test_item_facts_are_true(folder):
    items = {row["title"]: row for row in rows_of(folder, "items")}
    texts = item_documents(folder, np.random.default_rng(0))
    assert len(texts) == 3 * MOVIES
    assert texts[:MOVIES] == load_corpus("ml1m").words.description(pl.from_arrow(store.read(folder, "items"))).to_list()
    answers = {"Yes.": [], "No.": []}
    for text in texts[MOVIES:]:
        title, asked, answer = re.fullmatch(
            r'Is the genre of the movie "(.*)" (\w+)\?\nAnswer with Yes or No and nothing else\.\n(Yes\.|No\.)', text
        ).groups()
        assert (items[title]["genre"] == asked) == (answer == "Yes.")
        answers[answer].append(title)
    assert sorted(answers["Yes."]) == sorted(answers["No."]) == sorted(items)


def test_the_text_is_the_same_every_time(folder):
    def text(seed, count=20):
        rng = np.random.default_rng(seed)
        return [*item_documents(folder, rng), *diaries(folder, "subr", HISTORY_LENGTH, count, rng)]

    assert text(0) == text(0)
    assert text(0) != text(1)
    assert len(text(0)) == 3 * MOVIES + 20
    assert len(set(text(0)[-20:])) == 20


@pytest.fixture(scope="module")
def learned(folder) -> list[tuple[str, list[int], list[int], object]]:
    """Each diary with the token ids and the labels of its row."""
    texts = all_diaries(folder)
    tokenizer = train_tokenizer([*texts, *item_documents(folder, np.random.default_rng(0))], 400)
    rows = pretraining._rows_learned_numbers(tokenizer, texts)
    return [(text, row["input_ids"], row["labels"], tokenizer) for text, row in zip(texts, rows, strict=True)]


def test_only_numbers_bear_loss_in_a_diary(learned):
    for text, ids, labels, tokenizer in learned:
        assert tokenizer.decode(ids) == text
        assert len(labels) == len(ids)
        for token, label in zip(ids, labels, strict=True):
            assert label in (-100, token)
            assert label == -100 or tokenizer.decode([token]).isdigit()


def test_every_line_number_and_rating_bears_loss_and_no_digit_of_a_title(learned):
    seen = set()
    for text, ids, labels, tokenizer in learned:
        _, ratings = told_in(text)
        seen |= {title for title, _ in ratings}
        expected = "".join(f"{number}{stars}" for number, (_, stars) in enumerate(ratings))
        assert tokenizer.decode([token for token, label in zip(ids, labels, strict=True) if label != -100]) == expected
    assert seen >= set(TITLES), "the titles that look like ratings must be among them"


def test_item_documents_are_learned_whole(folder):
    texts = item_documents(folder, np.random.default_rng(0))
    tokenizer = train_tokenizer(texts, 400)
    rows = pretraining._rows_learned_whole(tokenizer, texts, width=50)
    assert all(row["labels"] == row["input_ids"] for row in rows)
    assert {len(row["input_ids"]) for row in rows[:-1]} == {50}
    assert tokenizer.decode([token for row in rows for token in row["input_ids"]]) == "".join(
        t + "<|end|>" for t in texts
    )


def test_the_tokenizer_knows_every_text_and_its_answers():
    tokenizer = train_tokenizer(["Answer with Yes or No and nothing else.\nYes."] * 9, 330)
    for text in ("Yes or No", "Škoda 日本 🎬\n\t", "<0x00>"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.eos_token == "<|end|>"
    assert tokenizer.pad_token == "<|pad|>"
    assert tokenizer.convert_ids_to_tokens(tokenizer("else.\nYes.")["input_ids"])[-2:] == ["Yes", "."]


# The command.


def options_of(**changes) -> list[str]:
    recipe = yaml.safe_load((REPOSITORY / "training/recipes/smoke/base.yaml").read_text())
    return [word for key, value in (recipe | changes).items() for word in (f"--{key}", value)]


def test_the_base_model_is_an_ordinary_folder(smoke):
    folder = smoke.folder / "runs/smoke/base"
    assert {path.name for path in folder.iterdir()} == {
        ".rella.json",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "pretraining.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == model.config.vocab_size == 800
    assert model.config.num_hidden_layers == 2
    assert json.loads((folder / "pretraining.json").read_text())["diaries"] == 200


def test_the_base_model_is_the_same_every_time(smoke, command, monkeypatch, tmp_path):
    monkeypatch.chdir(smoke.folder)
    assert command("training/pretrain.py", *options_of(output=tmp_path / "again")) == 0
    first, second = (
        load_file(folder / "model.safetensors") for folder in (Path("runs/smoke/base"), tmp_path / "again")
    )
    assert all(first[key].equal(second[key]) for key in first)
    assert Path("runs/smoke/base/tokenizer.json").read_bytes() == (tmp_path / "again/tokenizer.json").read_bytes()


@pytest.fixture
def base_copy(smoke, monkeypatch, tmp_path) -> Path:
    """The base model of the smoke recipe, for a test to spoil; the current folder is that of the smoke run."""
    monkeypatch.chdir(smoke.folder)
    return Path(shutil.copytree("runs/smoke/base", tmp_path / "base"))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_a_base_model_is_replaced_whole_or_not_at_all(command, base_copy, monkeypatch, stop):
    before = bytes_of(base_copy)

    def train(model, rows, options, scratch, **how):
        raise stop

    anew = options_of(output=base_copy, seed=1, overwrite="true")
    with monkeypatch.context() as patched:
        patched.setattr("rella_hub.pretraining.run._train", train)
        if stop is KeyboardInterrupt:
            assert command("training/pretrain.py", *anew) == 130
        else:
            with pytest.raises(stop):
                command("training/pretrain.py", *anew)
    assert bytes_of(base_copy) == before
    assert list(base_copy.parent.iterdir()) == [base_copy]


def test_an_unchanged_base_model_is_kept(command, base_copy, capsys):
    before = {path: path.stat().st_mtime_ns for path in base_copy.iterdir()}
    for overwrite in ("false", "true"):
        assert command("training/pretrain.py", *options_of(output=base_copy, overwrite=overwrite)) == 0
        assert f"{base_copy}: unchanged inputs, kept." in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in base_copy.iterdir()} == before


def test_a_base_model_made_from_other_inputs_is_refused(command, base_copy, folder, capsys):
    before = bytes_of(base_copy)
    assert command("training/pretrain.py", *options_of(output=base_copy, seed=1)) == 2
    assert "made from other inputs: its seed is 0, asked for is 1. Pass --overwrite true" in capsys.readouterr().err
    other_data = options_of(output=base_copy, dataset=folder, history_length=HISTORY_LENGTH)
    assert command("training/pretrain.py", *other_data) == 2
    assert "its dataset is 'runs/smoke/data', asked for is" in capsys.readouterr().err
    assert bytes_of(base_copy) == before


def test_a_folder_that_holds_something_else_is_spared(command, base_copy, capsys):
    (base_copy / ".rella.json").unlink()
    before = bytes_of(base_copy)
    assert command("training/pretrain.py", *options_of(output=base_copy, overwrite="true")) == 2
    assert "exists and is no base model of this project" in capsys.readouterr().err
    assert bytes_of(base_copy) == before


def test_training_learns_what_bears_loss_and_nothing_else(tmp_path):
    """Line numbers are a rule and are learned; the titles between them bear no loss and are not."""
    folder = build(tmp_path, seed=0)
    size = {"hidden_size": 32, "layers": 2, "heads": 2, "batch_size": 4, "epochs": 6, "learning_rate": 1e-2}
    options = PretrainArguments(dataset=str(folder), history_length=HISTORY_LENGTH, output="", **size)
    texts = all_diaries(folder)[:64]
    tokenizer = train_tokenizer(texts, 400)
    rows = pretraining._rows_learned_numbers(tokenizer, texts)
    torch.manual_seed(0)
    model = LlamaForCausalLM(pretraining._config(options, tokenizer))

    def losses() -> np.ndarray:
        """Of the line numbers, and of all that bears no loss."""
        found = []
        with torch.no_grad():
            for row in rows[:9]:
                ids, labels = torch.tensor(row["input_ids"]), torch.tensor(row["labels"])
                each = cross_entropy(model(ids[None]).logits[0, :-1], ids[1:], reduction="none")
                number = (labels[1:] != -100) & (ids[:-1] == tokenizer.convert_tokens_to_ids("Ċ"))
                found.append((each[number].mean().item(), each[labels[1:] == -100].mean().item()))
        return np.mean(found, axis=0)

    before = losses()
    pretraining._train(model, rows, options, str(tmp_path / "scratch"), pretraining._NumberTrainer)
    number, rest = losses()
    assert number < 0.2 * before[0]
    assert rest > before[1] - 0.5


def test_a_missing_view_is_named(command, folder, tmp_path, capsys):
    wanted = options_of(dataset=folder, history_length=30, output=tmp_path / "base")
    assert command("training/pretrain.py", *wanted) == 2
    assert "has no 'view_recency_k30'" in capsys.readouterr().err
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("batch_size", 0, "--batch_size is 0; at least 1"),
        ("layers", 0, "--layers is 0; at least 1"),
        ("epochs", 0, "--epochs is 0.0; it must be above 0"),
        ("learning_rate", "nan", "--learning_rate is nan"),
        ("hidden_size", 8, "expected at least 16"),
        ("heads", 3, "a multiple of twice --heads (3)"),
        ("seed", -1, "--seed is -1"),
    ],
)
def test_sizes_that_make_no_model_are_one_line(command, tmp_path, capsys, option, value, said):
    assert command("training/pretrain.py", *options_of(output=tmp_path / "base", **{option: value})) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
