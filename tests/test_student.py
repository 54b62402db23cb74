"""The student of rationales: what it learns from, a run of it, and that it writes what it has learnt."""

import json

import pytest
from tiny_adapters import llama
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rella_hub.corpora import demo
from rella_hub.prompts.rationale import steps
from rella_hub.stages.arguments import CandidateArguments, FolderArguments, RawArguments
from rella_hub.stages.candidates import draw_candidates
from rella_hub.stages.prepare import prepare
from rella_hub.stages.rationales.arguments import RationaleArguments, TeacherArguments
from rella_hub.stages.rationales.distill import distill
from rella_hub.stages.rationales.rationalize import rationalize
from rella_hub.systems.adapter.options import Options
from rella_hub.systems.adapter.train import train
from rella_hub.tables import rationales, store

USERS = 20


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    before, demo.USERS = demo.USERS, USERS
    try:
        raw = demo.generate(folder / "raw")
    finally:
        demo.USERS = before
    where = FolderArguments(corpus="demo", output=str(folder / "rella" / "demo"))
    prepare(where, RawArguments(raw=str(raw), task="leave_one_out"))
    draw_candidates(where, CandidateArguments())
    rationalize(where, RationaleArguments(rationales="teacher"), TeacherArguments(teacher="themes"))
    distill(where, "teacher", seed=0)
    return where


@pytest.fixture(scope="module")
def base(built, tmp_path_factory):
    """A small random Llama that knows every character of the prompts and the rationales."""
    folder = tmp_path_factory.mktemp("base")
    table = store.read(built.folder, "distillation_teacher")
    letters = sorted(set("".join(table["prompt"].to_pylist() + table["completion"].to_pylist())))
    vocabulary = {token: number for number, token in enumerate(["[PAD]", "[UNK]", "[EOS]", *letters])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.decoder = decoders.Fuse()
    llama(folder / "base", vocab_size=len(vocabulary), max_position_embeddings=2048)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", eos_token="[EOS]"
    ).save_pretrained(folder / "base")
    return folder / "base"


def test_prompts_hold_the_teachers_words_and_no_target(built):
    found = {row["sample_id"]: row for row in rationales.read(built.folder, "teacher").rows(named=True)}
    splits = {
        split: store.read(built.folder, "distillation_teacher", split).to_pylist() for split in ("train", "validation")
    }
    assert {split: len(rows) for split, rows in splits.items()} == {"train": 18, "validation": 2}
    asked = [row["sample_id"] for rows in splits.values() for row in rows]
    assert sorted(asked) == sorted(found)
    for row in splits["train"] + splits["validation"]:
        assert steps.read(row["completion"]) == steps.read(found[row["sample_id"]]["text"])
        assert row["prompt"].startswith("A user has watched these movies: 0). ")


def test_a_student_learns_and_writes(built, base, tmp_path, capsys):
    run = tmp_path / "student"
    given = {
        "base": str(base),
        "dataset": str(built.folder),
        "config_name": "distillation_teacher",
        "output_dir": str(run),
        "lora_target_modules": ["all-linear"],
        "learning_rate": 2e-2,
        "num_train_epochs": 2,
        "per_device_train_batch_size": 6,
        "gradient_accumulation_steps": 1,
    }
    train(Options(**given))
    record = json.loads((run / "training.json").read_text())
    validated = [entry["eval_token_likelihood"] for entry in record["log"] if "eval_token_likelihood" in entry]
    assert record["training_samples"] == 18
    assert record["best_validation"]["token_likelihood"] == max(validated) > 1.2 / 70  # of some 70 letters
    card = (run / "adapter/README.md").read_text()
    assert "It has learnt from 18 rationales by the rule-based teacher of the demo corpus" in card
    train(Options(**given))
    assert "unchanged inputs, kept" in capsys.readouterr().out
    writer = TeacherArguments(teacher="language_model", base=str(base), adapter=str(run / "adapter"), max_new_tokens=4)
    with pytest.raises(ValueError, match=r"Not one of 3 rationales can be used"):  # four letters are no three steps
        rationalize(built, RationaleArguments(rationales="student", users=3), writer)
    with pytest.raises(ValueError, match="--full_finetuning true is not taken for a student"):
        train(Options(**(given | {"full_finetuning": True, "lora_target_modules": ["q_proj", "v_proj"]})))
