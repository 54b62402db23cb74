"""A small T5 from a corpus's own text: its tokenizer, what is taken out of a row, and the folder that P5 starts from."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from raw_users import HISTORY_LENGTH, build
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from rella_hub.pretraining.t5 import ANSWERS, SpanCorruption, make_rows, noise_mask
from rella_hub.pretraining.text import item_documents
from rella_hub.pretraining.tokenizer import train_t5_tokenizer
from rella_hub.systems.seq2seq import text as p5
from rella_hub.systems.seq2seq.language import load_language, load_t5

SMALL = ("--hidden_size", 16, "--layers", 1, "--heads", 2, "--vocabulary", 300, "--context", 64, "--batch_size", 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("t5"), 0)


@pytest.fixture(scope="module")
def tokenizer(folder):
    return train_t5_tokenizer(item_documents(folder, np.random.default_rng(0), ANSWERS), 300, ANSWERS)


@pytest.mark.parametrize("length", [2, 3, 7, 20, 64, 511, 512])
def test_about_a_seventh_of_a_row_is_taken_out_in_spans_of_three(length):
    rng = np.random.default_rng(length)
    masks = [noise_mask(length, rng) for _ in range(50)]
    for mask in masks:
        assert len(mask) == length
        assert mask.sum() == max(1, round(0.15 * length))
        assert not mask[0]
        assert mask[-1]
    spans = [int((np.diff(mask.astype(int)) == 1).sum()) for mask in masks]
    assert set(spans) == {max(1, round(max(1, round(0.15 * length)) / 3))}
    assert max(spans) <= 100, "a sentinel for each"
    if length > 20:
        assert len({mask.tobytes() for mask in masks}) > 40, "drawn anew each time"


def test_a_row_is_whole_again_when_every_sentinel_is_replaced_by_its_span(tokenizer):
    corruption, rng = SpanCorruption(tokenizer, 0), np.random.default_rng(1)
    sentinels = tokenizer.convert_tokens_to_ids([f"<extra_id_{n}>" for n in range(100)])
    for length in (5, 40, 300):
        ids = rng.integers(3, min(sentinels), length)
        left, taken = (row.tolist() for row in corruption.corrupt(ids))
        assert left[-1] == taken[-1] == tokenizer.eos_token_id
        spans, current = {}, None
        for token in taken[:-1]:
            if token in sentinels:
                current = spans.setdefault(token, [])
            else:
                current.append(token)
        assert list(spans) == sentinels[: len(spans)]
        assert [token for token in left if token in sentinels] == list(spans)
        whole = [one for token in left[:-1] for one in spans.get(token, [token])]
        assert whole == ids.tolist()


def test_padding_is_neither_read_nor_learned(tokenizer):
    rows = [{"input_ids": list(range(3, 3 + length))} for length in (10, 50)]
    batch = SpanCorruption(tokenizer, 0)(rows)
    lengths = batch["attention_mask"].sum(dim=1)
    assert lengths[0] < lengths[1] == batch["input_ids"].shape[1]
    assert (batch["input_ids"][0, lengths[0] :] == tokenizer.pad_token_id).all()
    assert (batch["labels"][0] == -100).sum() == batch["labels"].shape[1] - (batch["labels"][0] >= 0).sum() > 0


def test_rows_hold_all_texts_end_to_end(tokenizer):
    texts = ["The title of the movie is Movie 5.", "7. Seal (5 stars)"] * 9
    rows = make_rows(tokenizer, texts, 16)
    flat = [token for row in rows for token in row["input_ids"]]
    assert flat == [token for text in texts for token in tokenizer(text)["input_ids"]]
    assert {len(row["input_ids"]) for row in rows[:-1]} == {16}
    assert flat.count(tokenizer.eos_token_id) == len(texts)


def test_answers_are_one_piece_each_and_no_letter_of_an_id_is_unknown(tokenizer):
    assert p5.ANSWERS == ANSWERS
    for answer in ANSWERS:
        assert len(tokenizer(answer, add_special_tokens=False)["input_ids"]) == 1
    ids = tokenizer("user_1234567890 item_55,")["input_ids"]
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids, skip_special_tokens=True) == "user_1234567890 item_55,"


def test_facts_are_asked_with_the_answers_of_a_t5(folder):
    texts = item_documents(folder, np.random.default_rng(0), ANSWERS)
    capital = item_documents(folder, np.random.default_rng(0))
    questions = [text for text in texts if "?" in text and text.count("\n") == 2]
    assert {text.splitlines()[-1] for text in questions} == {"no", "yes"}
    assert all("Answer with yes or no and nothing else." in text for text in questions)
    assert [text.lower().removesuffix(".") for text in capital] == [text.lower().removesuffix(".") for text in texts]


def test_the_command_leaves_a_t5_that_p5_starts_from(folder, command, tmp_path, capsys):
    made = ("--dataset", folder, "--history_length", HISTORY_LENGTH, "--diaries", 20, "--item_rounds", 1, *SMALL)
    assert command("training/pretrain.py", "--architecture", "t5", *made, "--output", tmp_path / "t5") == 0
    assert json.loads((tmp_path / "t5/pretraining.json").read_text())["architecture"] == "t5"
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "t5")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "t5")
    ids = tokenizer("Will user_1 like the movie item_2?", return_tensors="pt")
    assert torch.isfinite(model(**ids, decoder_input_ids=torch.tensor([[0]])).logits).all()
    p5_model, language = load_t5(str(tmp_path / "t5"), None)
    assert p5_model.whole_words.weight.shape == (512, 16)
    assert language.answers == load_language(tmp_path / "t5", "again").answers
    assert command("training/pretrain.py", "--architecture", "t5", *made, "--output", tmp_path / "again") == 0
    assert (tmp_path / "t5/model.safetensors").read_bytes() == (tmp_path / "again/model.safetensors").read_bytes()
    assert command("training/pretrain.py", "--architecture", "t6", *made, "--output", tmp_path / "no") == 2
    assert "--architecture is 't6'; expected one of llama, t5" in capsys.readouterr().err
    assert (
        command("training/pretrain.py", "--architecture", "t5", *made, "--context", 4, "--output", tmp_path / "no") == 2
    )
    assert "the rows of a T5 have at least 8 tokens" in capsys.readouterr().err
