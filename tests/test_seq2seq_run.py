"""P5 learns, resumes exactly, is scored alone as in a batch, and says in one line what it cannot use."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_t5
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, T5ForConditionalGeneration

from rella_hub.systems.epochs import rate_factor
from rella_hub.systems.seq2seq import options as family
from rella_hub.systems.seq2seq.inputs import Rows, Seen, number_ids, read_samples
from rella_hub.systems.seq2seq.language import load_t5
from rella_hub.systems.seq2seq.loop import Computing, adamw, answer_loss, p_yes, validate
from rella_hub.systems.seq2seq.options import ScoreOptions
from rella_hub.systems.seq2seq.score import load
from rella_hub.systems.seq2seq.train import train
from rella_hub.tables import store

CPU = Computing(torch.device("cpu"))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny_t5.save(tmp_path_factory.mktemp("t5"))


@pytest.fixture
def options(base, prepared, tmp_path):
    return tiny_t5.options(base, prepared.folder, tmp_path / "run")


@pytest.fixture(scope="module")
def finished(base, tmp_path_factory) -> tuple[Path, Path]:
    """A data set, and a finished run on it."""
    folder = tmp_path_factory.mktemp("finished")
    data = tiny_t5.prepare_ml1m(folder / "data")
    train(tiny_t5.options(base, data, folder / "run"))
    return data, folder / "run"


def samples_of(data: Path, split: str = "test"):
    return store.read(data, "samples", split, ["sample_id", "label"])


def system(data: Path, run: Path, **options):
    found = load(str(run), None, ScoreOptions(**options))
    found.prepare(data, "recency_k3", "test")
    return found


def weights(folder) -> bytes:
    return (Path(folder) / family.RESULT / "model.safetensors").read_bytes()


def test_p_yes_is_the_softmax_of_two_logits_of_a_full_forward_pass(finished):
    """transformers' own T5 on one text at a time, with the whole words added by hand; no padding, no code of this project."""
    data, run = finished
    rows, known = samples_of(data), system(data, run)
    scores = known.scores(rows)
    stored = load_file(run / "t5/model.safetensors")
    t5 = T5ForConditionalGeneration.from_pretrained(run / "t5").eval()
    tokenizer = AutoTokenizer.from_pretrained(run / "t5")
    no, yes = (tokenizer(word, add_special_tokens=False)["input_ids"] for word in ("no", "yes"))
    assert (len(no), len(yes)) == (1, 1)
    for text, score in list(zip(known._loaded.rows.texts(rows["sample_id"].to_numpy()), scores, strict=True))[:8]:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        pieces = tokenizer.convert_ids_to_tokens(ids[0])
        words = np.cumsum([piece.startswith("▁") for piece in pieces])
        words[-1] = 0
        embedded = t5.shared(ids) + stored["whole_words.weight"][torch.from_numpy(words)]
        start = torch.tensor([[t5.config.decoder_start_token_id]])
        with torch.no_grad():
            logits = t5(inputs_embeds=embedded, decoder_input_ids=start).logits[0, 0].double()
        by_hand = 1 / (1 + np.exp(float(logits[no[0]] - logits[yes[0]])))
        assert score == pytest.approx(by_hand, abs=1e-5)
    assert scores.dtype == np.float64
    assert len(set(scores.round(6))) > 5


def test_a_score_depends_neither_on_the_batch_nor_on_padding(finished):
    data, run = finished
    known, rows = system(data, run), samples_of(data)
    scores = known.scores(rows)
    backwards = known.scores(rows.take(list(range(len(rows)))[::-1]))
    alone = [known.scores(rows.slice(n, 1))[0] for n in range(len(rows))]
    np.testing.assert_allclose(backwards[::-1], scores, atol=1e-6)
    np.testing.assert_allclose(alone, scores, atol=1e-6)


def test_scores_without_whole_words_differ_and_say_so(finished):
    data, run = finished
    rows, known, released = samples_of(data), system(data, run), system(data, run, whole_words=False)
    assert np.abs(known.scores(rows) - released.scores(rows)).max() > 1e-3
    told = [one.identity["model_identity"] for one in (known, released)]
    assert [one.pop("whole_words_in_scoring") for one in told] == [True, False]
    assert told[0] == told[1]


def test_the_loss_is_the_mean_over_both_tokens_of_the_answer(base, prepared):
    """Against transformers' own loss of one row with the answer and the end token as labels."""
    torch.manual_seed(0)
    model, language = load_t5(str(base), None)
    model.eval()
    rows = Rows(prepared.folder, Seen("ml1m", 3, 512, "none"), number_ids(prepared.folder), language)
    chosen = samples_of(prepared.folder, "train")["sample_id"].to_numpy()[:6]
    label = torch.from_numpy(rows.labels(chosen).astype(np.int64))
    found = answer_loss(model, rows.take(chosen), label, language)
    each = []
    for sample, one in zip(chosen, label, strict=True):
        batch = rows.take(np.array([sample]))
        embedded = model.shared(batch.ids) + model.whole_words(batch.words)
        answer = torch.tensor([[language.answers[one], language.end]])
        each.append(model(inputs_embeds=embedded, labels=answer).loss.item())
    assert found.item() == pytest.approx(np.mean(each), rel=1e-5)


def test_whole_words_are_trained_and_every_weight_decays(base, options, prepared):
    torch.manual_seed(0)
    model, language = load_t5(str(base), None)
    rows = Rows(prepared.folder, Seen("ml1m", 3, 512, "none"), number_ids(prepared.folder), language)
    chosen = samples_of(prepared.folder, "train")["sample_id"].to_numpy()[:6]
    batch = rows.take(chosen)
    optimizer = adamw(model, options)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01]
    assert optimizer.param_groups[0]["eps"] == 1e-6
    answer_loss(model, batch, torch.ones(6, dtype=torch.long), language).backward()
    moved = model.whole_words.weight.grad.abs().sum(dim=1) > 0
    assert sorted(moved.nonzero().flatten().tolist()) == sorted(set(batch.words[batch.real].tolist()))


def test_the_rate_rises_over_a_twentieth_and_falls_to_nothing():
    factors = [rate_factor(step, 100, 0.05) for step in range(101)]
    assert factors[0] == 0
    assert factors[5] == 1 == max(factors)
    assert factors[100] == 0
    np.testing.assert_allclose(np.diff(factors[5:]), -1 / 95)
    assert rate_factor(0, 10, 0.0) == 1


def test_training_learns_what_the_history_tells(base, tmp_path):
    """Every user rates all alike, 5 or 1, so the latest rating tells the label."""
    data = tiny_t5.data_of_steady_users(tmp_path)
    how = {"history_length": 1, "num_shots": 96, "num_train_epochs": 8, "batch_size": 8, "early_stopping_patience": 8}
    train(tiny_t5.options(base, data, tmp_path / "run", **how))
    assert json.loads((tmp_path / "run/training.json").read_text())["best_validation"]["auc"] > 0.95


def test_the_history_can_be_left_out(base, prepared, tmp_path):
    how = {"history_in_text": False, "history_length": 30, "num_shots": 16, "num_train_epochs": 1}
    train(tiny_t5.options(base, prepared.folder, tmp_path / "run", **how))
    known = system(prepared.folder, tmp_path / "run")
    known.scores(samples_of(prepared.folder))
    assert known.identity["model_identity"]["history_length"] == 0
    assert all(text.endswith("yes or no.") for text in known._loaded.rows.texts(np.array([10, 20])))


def test_an_interrupted_run_ends_with_the_same_weights_and_log(options, tmp_path, monkeypatch, capsys):
    whole = replace(options, num_train_epochs=3, early_stopping_patience=9, output_dir=str(tmp_path / "whole"))
    train(whole)
    cut, calls = replace(whole, output_dir=options.output_dir), []

    def impatient(*given):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return validate(*given)

    with monkeypatch.context() as patched:
        patched.setattr("rella_hub.systems.seq2seq.train.validate", impatient)
        with pytest.raises(KeyboardInterrupt):
            train(cut)
    assert sorted(path.name for path in Path(cut.output_dir).iterdir()) == [".rella.json", "checkpoint"]
    capsys.readouterr()
    train(cut)
    said = capsys.readouterr().out
    assert "after epoch 1" in said
    assert "epoch 1:" not in said, "no epoch is trained twice"
    assert weights(cut.output_dir) == weights(whole.output_dir)
    logs = [json.loads((Path(one.output_dir) / "training.json").read_text())["log"] for one in (cut, whole)]
    assert logs[0] == logs[1]
    train(cut)
    assert "unchanged inputs, kept" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"its recipe.seed is 3, asked for is 4"):
        train(replace(cut, seed=4))
    other = tiny_t5.save(tmp_path / "other", num_layers=1)
    with pytest.raises(ValueError, match=r"its t5\.\w+ is "):
        train(replace(cut, t5=str(other)))


def test_the_best_epoch_is_kept_and_test_is_never_read(options, monkeypatch):
    splits = []
    read = store.read_rows

    def noted(folder, name, begin, end, split="train", columns=None):
        splits.append(split)
        return read(folder, name, begin, end, split, columns)

    monkeypatch.setattr(store, "read_rows", noted)
    values = iter([0.9, 0.5])
    monkeypatch.setattr(
        "rella_hub.systems.seq2seq.train.validate", lambda *given: validate(*given) | {"auc": next(values)}
    )
    train(options)
    record = json.loads((Path(options.output_dir) / "training.json").read_text())
    assert record["best_epoch"] == 1
    assert [entry["auc"] for entry in record["log"]] == [0.9, 0.5]
    assert set(splits) == {"train", "validation"}


def test_a_run_tells_what_it_was_made_from_and_no_place(finished):
    data, run = finished
    record = json.loads((run / "training.json").read_text())
    stored = load_file(run / "t5/model.safetensors")
    assert record["weights"] == sum(tensor.numel() for tensor in stored.values())
    assert record["t5"].keys() == {"name", "revision", "weights", "config", "tokenizer"}
    assert str(data) not in json.dumps(record)
    assert not {"t5", "dataset", "output_dir"} & record["recipe"].keys()
    assert record["texts"]["train"]["cut"] == 0
    assert all(family.holds(place) for place in (run, run / "t5"))
    assert not any(family.holds(place) for place in (data, run.parent))


def test_texts_that_were_cut_are_counted_in_the_record_and_in_scoring(base, finished, tmp_path, capsys):
    data, _ = finished
    options = tiny_t5.options(base, data, tmp_path / "run", max_length=40, truncation="right", num_train_epochs=1)
    train(options)
    record = json.loads((tmp_path / "run/training.json").read_text())
    assert record["texts"]["train"]["cut"] > 0
    assert f"{record['texts']['train']['cut']:,} of them cut" in capsys.readouterr().out
    system(data, tmp_path / "run").scores(samples_of(data))
    assert "texts were cut at 40 tokens, as in training" in capsys.readouterr().err


def test_equal_scores_are_warned_of(base, prepared, options, capsys):
    model, language = load_t5(str(base), None)
    with torch.no_grad():
        model.shared.weight.zero_()
    rows = Rows(prepared.folder, Seen("ml1m", 3, 512, "none"), number_ids(prepared.folder), language)
    samples = read_samples(rows, samples_of(prepared.folder)["sample_id"].to_numpy(), "scored")
    assert validate(model, samples, language, CPU)["auc"] == 0.5
    assert "WARNING: all" in capsys.readouterr().err
    with torch.no_grad():
        model.shared.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="score that is not finite"):
        p_yes(model, rows, samples.sample_id, samples.lengths, language, CPU)


def test_an_output_layer_of_its_own_stays_so(tmp_path):
    """As T5 1.1 and FLAN-T5 have one."""
    folder = tiny_t5.save(tmp_path / "base", tie_word_embeddings=False, feed_forward_proj="gated-gelu")
    stored = load_file(folder / "model.safetensors")
    stored["lm_head.weight"] = torch.randn_like(stored["shared.weight"])
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
    model, _ = load_t5(str(folder), None)
    assert torch.equal(model.lm_head.weight, stored["lm_head.weight"])
    assert not model.config.scale_decoder_outputs
    model.save_pretrained(tmp_path / "saved")
    again = T5ForConditionalGeneration.from_pretrained(tmp_path / "saved")
    assert torch.equal(again.lm_head.weight, stored["lm_head.weight"])
    assert not again.config.scale_decoder_outputs


def test_a_t5_that_is_mostly_embeddings_is_taken(tmp_path):
    """As T5-small is, whose table is more than a quarter of it."""
    model, _ = load_t5(str(tiny_t5.save(tmp_path / "wide", vocab_size=40_000, num_layers=1)), None)
    assert model.shared.weight.numel() / sum(one.numel() for one in model.parameters()) > 0.95


def broken(base: Path, folder: Path, change) -> Path:
    shutil.copytree(base, folder)
    change(folder)
    return folder


def edit(name: str, **values):
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return change


def without_a_weight(folder: Path) -> None:
    stored = load_file(folder / "model.safetensors")
    del stored["encoder.final_layer_norm.weight"]
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def without_training_samples(folder: Path) -> None:
    path = folder / "p5.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "training_samples"}))


def pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def other_tokenizer(language):
    return lambda folder: language.save_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda folder: tiny_t5.tokenizer(words=("no",)).save_pretrained(folder),
            r"writes 'yes' as ▁ y e s, and P5 needs each answer",
        ),
        (
            lambda folder: tiny_t5.bytes_tokenizer().save_pretrained(folder),
            "No piece of the tokenizer of .* begins with ▁",
        ),
        (lambda folder: tiny_t5.tokenizer(more=500).save_pretrained(folder), "tokens and the model only"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "tokenizer.json is not JSON"),
        (without_a_weight, "such as encoder.final_layer_norm.weight"),
        (pickled, "no .*safetensors"),
        (edit("config.json", num_layers=3), "Its weights are not those that its config.json describes"),
        (edit("config.json", model_type="bart"), r"cannot be read|type bart|describes"),
        (edit("config.json", is_encoder_decoder=False), "It is no encoder-decoder"),
        (edit("config.json", decoder_start_token_id=None), "names no decoder_start_token_id"),
        (edit("config.json", d_ff=10**7), "far larger model"),
    ],
)
def test_a_base_that_cannot_be_used_is_one_line(base, options, tmp_path, change, said):
    folder = broken(base, tmp_path / "broken", change)
    with pytest.raises(ValueError, match=said) as caught:
        train(replace(options, t5=str(folder)))
    assert "\n" not in str(caught.value)
    assert not Path(options.output_dir).exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: (folder / "vocabulary.parquet").unlink(), "has no vocabulary.parquet"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda folder: (folder / "p5.json").write_text("{}"), "does not say its"),
        (without_training_samples, "does not say its training_samples"),
        (edit("p5.json", truncation="left"), "has truncation 'left'"),
        (edit("p5.json", max_length=513), "has max_length 513"),
        (edit("p5.json", text_version=2), "has text_version 2"),
        (edit("p5.json", history_length=10**6), "has history_length 1000000"),
        (edit("p5.json", corpus="../x"), "its corpus is '../x'"),
        (without_a_weight, "does not load: Its weights are not those"),
    ],
)
def test_a_damaged_model_is_one_line(finished, tmp_path, change, said):
    data, run = finished
    folder = broken(run / "t5", tmp_path / "t5", change)
    with pytest.raises(ValueError, match=said) as caught:
        system(data, folder).scores(samples_of(data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"max_length": 513}, "--max_length is 513; it must be from 2 to 512"),
        ({"history_in_text": False}, "history_length"),
        ({"truncation": "left"}, "--truncation is 'left'; expected one of none, right"),
        ({"learning_rate": float("nan")}, "--learning_rate is nan"),
        ({"max_grad_norm": 0.0}, "--max_grad_norm is 0.0"),
        ({"warmup_ratio": 1.0}, "--warmup_ratio is 1.0"),
        ({"batch_size": 0}, "--batch_size is 0"),
        ({"seed": -1}, "--seed is -1"),
        ({"dtype": "float16"}, "--dtype is 'float16'"),
    ],
)
def test_options_that_make_no_run_are_refused(base, tmp_path, changed, said):
    with pytest.raises(ValueError, match=said):
        tiny_t5.options(base, tmp_path, tmp_path / "run", **changed)


def test_the_command_trains_by_recipe(base, finished, tmp_path, command, capsys):
    data, _ = finished
    recipe = Path(__file__).parents[1] / "training/recipes/ml1m/small_p5.yaml"
    run = tmp_path / "run"
    how = (
        "--t5",
        base,
        "--dataset",
        data,
        "--output_dir",
        run,
        "--num_shots",
        16,
        "--num_validation",
        5,
        "--num_train_epochs",
        1,
    )
    assert command("training/seq2seq.py", "--config", recipe, *how) == 0
    assert json.loads((run / "training.json").read_text())["training_samples"] == 16
    assert "p5:" in capsys.readouterr().out
    assert (
        command("training/seq2seq.py", "--config", recipe, *how, "--max_length", 20, "--output_dir", tmp_path / "no")
        == 2
    )
    error = capsys.readouterr().err
    assert "training texts are longer than --max_length 20 tokens" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "no").exists()
