"""The command that compares adapters in one pass: every score is that of the system alone, nothing is loaded or read twice."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import image
from peft import LoHaConfig, LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from rella_hub.cards.results import read_results
from rella_hub.language_models import p_yes as yes_no
from rella_hub.language_models import several
from rella_hub.language_models.load import (
    adapter_identity,
    base_identity,
    load_adapter,
    load_base,
    load_tokenizer,
    write_base_record,
)
from rella_hub.metrics.uncertainty.delong import compare_aucs
from rella_hub.metrics.uncertainty.p_value import p_text
from rella_hub.systems.adapter import score as scoring
from rella_hub.tables.scores import read_scores

BASE, DATA, ADAPTER = "runs/smoke/base", "runs/smoke/data", "runs/smoke/rella/adapter"
COMMON = ["--base", BASE, "--dataset", DATA, "--config_name", "subr_k5", "--limit", 60, "--tokens_per_batch", 2000]
SYSTEMS = {"zero_shot": None, "rella": ADAPTER, "wide": "runs/wide/adapter", "headed": "runs/headed/adapter"}
ADAPTERS = [adapter for adapter in SYSTEMS.values() if adapter]
MODEL_FREE = ["history_mean", "item_mean", "both_means"]


def make_adapter(folder: Path, config, seed: int = 1, base: str = BASE) -> Path:
    """An adapter that nothing has trained, far enough from its base to be seen."""
    tuned = get_peft_model(load_base(base), config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if any(part in name for part in ("lora_B", "modules_to_save", "prompt_encoder", "bias")):
                weight.add_(torch.randn_like(weight) * 0.1)
    tuned.save_pretrained(folder)
    write_base_record(folder, base_identity(base))
    return folder


def lora(**options) -> LoraConfig:
    return LoraConfig(task_type="CAUSAL_LM", **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]} | options)


@pytest.fixture(scope="module")
def made(smoke) -> Path:
    """The folder of the smoke run, with two adapters more: of other ranks and layers, and with a head of its own."""
    with contextlib.chdir(smoke.folder):
        make_adapter(
            Path(SYSTEMS["wide"]), lora(r=3, target_modules=["k_proj", "o_proj", "down_proj"], use_rslora=True)
        )
        make_adapter(Path(SYSTEMS["headed"]), lora(r=2, target_modules=["v_proj"], modules_to_save=["lm_head"]), seed=2)
    return smoke.folder


@pytest.fixture(scope="module")
def alone(made, command, tmp_path_factory) -> Path:
    """The score files that `evaluation/score.py` writes for each system alone."""
    folder = tmp_path_factory.mktemp("alone")
    with contextlib.chdir(made):
        for name, adapter in SYSTEMS.items():
            own = ["--adapter", adapter] if adapter else []
            assert command("evaluation/score.py", *COMMON, *own, "--output", folder / f"{name}.parquet") == 0
    return folder


@pytest.fixture(scope="module")
def compared(made, command, tmp_path_factory) -> Path:
    """The folder of a comparison of all systems."""
    output = tmp_path_factory.mktemp("compared") / "out"
    with contextlib.chdir(made):
        line = [*COMMON, "--adapters", *ADAPTERS, "--resamples", 60, "--output", output]
        assert command("evaluation/compare.py", *line) == 0
    return output


@pytest.fixture
def compare(command, made, monkeypatch, tmp_path) -> Callable[..., int]:
    """Compare in this process, in the folder of the smoke run, into `tmp_path/out`; gives the exit code."""
    monkeypatch.chdir(made)

    def run(*options) -> int:
        return command("evaluation/compare.py", *COMMON, "--resamples", 40, "--output", tmp_path / "out", *options)

    return run


def results_of(output: Path) -> dict[str, dict]:
    results = json.loads((output / "compare.json").read_text(encoding="utf-8"))
    return {row["name"]: row for row in results["rows"]}


def test_scores_are_those_of_each_system_alone(compared, alone):
    """To the last digit, and with the same record, so that either command keeps the files of the other."""
    for name in SYSTEMS:
        together, single = (read_scores(folder / f"{name}.parquet") for folder in (compared / "scores", alone))
        assert np.array_equal(together.sample_id, single.sample_id)
        assert np.array_equal(together.score, single.score)
        assert together.record == single.record
    scores = [read_scores(compared / f"scores/{name}.parquet").score for name in SYSTEMS]
    for i, score in enumerate(scores):
        for other in scores[:i]:
            assert np.abs(score - other).max() > 1e-4, "two systems are the same"


def test_scores_are_those_of_each_system_alone_on_a_quantized_base(made, monkeypatch, quantization):
    monkeypatch.chdir(made)
    base, answers = base_identity(BASE), yes_no.Answers(no=3, yes=4)
    prompts = [np.random.default_rng(n).integers(5, 300, n).tolist() for n in (40, 7, 23, 40, 12)]
    models = [load_base(BASE, quantization=quantization)]
    models += [load_adapter(load_base(BASE, quantization=quantization), base, adapter) for adapter in ADAPTERS]
    expected = np.array([yes_no.p_yes(alone, prompts, answers, tokens_per_batch=100) for alone in models])
    asked = [(adapter, None) for adapter in ADAPTERS]
    model = several.load_adapters(load_base(BASE, quantization=quantization), base, asked, prompts[1])
    switches = [several.switch(model, number) for number in (None, *range(len(asked)))]
    found = yes_no.p_yes_of_systems(model, switches, prompts, answers, yes_no.Budget(100))
    assert np.array_equal(found, expected)
    assert len(np.unique(found.round(5), axis=0)) == len(found)


def test_systems_may_come_in_any_order_and_again(made, monkeypatch):
    monkeypatch.chdir(made)
    prompts, answers = [[5, 6, 7], [8, 9]], yes_no.Answers(no=3, yes=4)
    model = several.load_adapters(load_base(BASE), base_identity(BASE), [(a, None) for a in ADAPTERS], prompts[0])
    order = [2, None, 0, 1, None, 1, 2, 0]
    switches = [several.switch(model, n) for n in order]
    found = yes_no.p_yes_of_systems(model, switches, prompts, answers, yes_no.Budget())
    for i, number in enumerate(order):
        assert np.array_equal(found[i], found[order.index(number)])
    assert not any(weight.requires_grad for name, weight in model.named_parameters() if "lora" not in name)
    assert all(not getattr(module, "merged", False) for module in model.modules())


def test_the_base_is_loaded_once_and_each_batch_put_together_once(compare, monkeypatch):
    loaded, padded = [], []
    load, pad = scoring.load_base, yes_no.pad_right
    monkeypatch.setattr(scoring, "load_base", lambda *options: loaded.append(options) or load(*options))
    monkeypatch.setattr(yes_no, "pad_right", lambda prompts: padded.extend(prompts) or pad(prompts))
    assert compare("--adapters", *ADAPTERS) == 0
    assert len(loaded) == 1
    assert len(padded) == 60


def test_a_second_run_scores_nothing_and_a_lost_file_alone_is_made_again(
    compared, compare, tmp_path, monkeypatch, capsys
):
    output = Path(shutil.copytree(compared, tmp_path / "out"))
    lost = output / "scores/wide.parquet"
    before = read_scores(lost).score
    with monkeypatch.context() as patched:
        patched.setattr(scoring, "load_base", None)  # calling it would fail
        assert compare("--adapters", *ADAPTERS) == 0
    assert capsys.readouterr().out.count("unchanged inputs, kept") == len(SYSTEMS)
    lost.unlink()
    assert compare("--adapters", *ADAPTERS) == 0
    assert capsys.readouterr().out.count("unchanged inputs, kept") == len(SYSTEMS) - 1
    assert np.array_equal(read_scores(lost).score, before)


def test_files_of_the_command_that_scores_are_kept(alone, compare, tmp_path, monkeypatch):
    shutil.copytree(alone, tmp_path / "out/scores")
    monkeypatch.setattr(scoring, "load_base", None)
    assert compare("--adapters", *ADAPTERS) == 0
    assert list(results_of(tmp_path / "out")) == [*SYSTEMS, *MODEL_FREE]


def test_scores_of_something_else_are_refused_before_anything_is_scored(compared, compare, tmp_path, capsys):
    output = Path(shutil.copytree(compared, tmp_path / "out"))
    before = {path: path.read_bytes() for path in output.rglob("*.parquet")}
    assert compare("--adapters", ADAPTER, "--seed", 1) == 2
    assert "was made from other inputs: its seed is 0, asked for is 1" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in output.rglob("*.parquet")} == before
    assert compare("--adapters", ADAPTER, "--seed", 1, "--overwrite", "true") == 0
    assert read_scores(output / "scores/rella.parquet").record["seed"] == 1
    assert list(results_of(output)) == ["zero_shot", "rella", *MODEL_FREE]


def test_the_table_and_the_json_say_the_same(compared):
    rows, report = results_of(compared), (compared / "compare.md").read_text(encoding="utf-8")
    assert list(rows) == [*SYSTEMS, *MODEL_FREE]
    reference = read_scores(compared / "scores/zero_shot.parquet")
    for name, row in rows.items():
        (line,) = [line for line in report.splitlines() if line.startswith(f"| {name} ")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for cell, metric in zip(cells[4:7], ("auc", "log_loss", "accuracy"), strict=True):
            assert cell == f"{row[metric]['value']:.4f} [{row[metric]['low']:.4f}, {row[metric]['high']:.4f}]"
        if name == "zero_shot":
            assert cells[8:] == ["reference", "-", "-"]
            assert row["delong"] is None
            continue
        test = row["delong"]
        assert cells[8].startswith(f"{row['auc_difference']['value']:+.4f} [")
        assert cells[9:] == [f"{test['z']:+.2f}", p_text(test["p"])]
        assert test["value"] == pytest.approx(row["auc_difference"]["value"], abs=1e-12)
        if name in SYSTEMS:
            scores = read_scores(compared / f"scores/{name}.parquet")
            expected = compare_aucs(scores.label, scores.score, reference.score, scores.user_id)
            assert (test["z"], test["p"]) == (expected.z, expected.p)
    assert {row["n"] for row in rows.values()} == {60}
    assert "60 bootstrap resamples of the users (seed 0)" in report


def test_rows_without_a_model_have_paired_differences_too(compared):
    """The interval of the difference is that of resamples shared with zero-shot."""
    rows = results_of(compared)
    for name in MODEL_FREE:
        row = rows[name]
        assert row["reference"] == "zero_shot"
        assert row["auc_difference"]["low"] <= row["auc_difference"]["value"] <= row["auc_difference"]["high"]
        assert 0 <= row["delong"]["p"] <= 1


def test_the_report_takes_the_score_files(compared, command, made, monkeypatch, tmp_path):
    monkeypatch.chdir(made)
    files = [compared / f"scores/{name}.parquet" for name in SYSTEMS]
    line = ["--scores", *files, "--output", tmp_path / "report", "--resamples", 60]
    assert command("evaluation/report.py", *line) == 0
    results = json.loads((tmp_path / "report/results.json").read_text(encoding="utf-8"))
    for row in results["rows"]:
        assert row == results_of(compared)[row["name"]]


def test_a_model_card_takes_the_json(compared, made):
    sha256 = adapter_identity(str(made / ADAPTER))["sha256"]
    (found,) = read_results(compared / "compare.json", sha256, "adapter", made / ADAPTER).comparisons
    assert [row["name"] for row in found.rows] == ["rella", "zero_shot", *MODEL_FREE, "wide", "headed"]


def test_the_figure_is_a_picture_of_every_system(compared):
    pixels = image.imread(compared / "compare.png")[..., :3]
    assert pixels.shape[1] >= 1200
    for color in ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#767676"):
        rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        assert (np.abs(pixels - rgb).max(axis=2) < 0.02).sum() > 200, color


def test_without_adapters_zero_shot_is_compared_with_what_needs_no_model(compare, tmp_path):
    assert compare() == 0
    assert list(results_of(tmp_path / "out")) == ["zero_shot", *MODEL_FREE]


def test_the_default_folder_is_named_after_what_it_holds(command, made, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = ["--base", made / BASE, "--dataset", made / DATA, "--config_name", "subr_k5", "--limit", 40]
    assert command("evaluation/compare.py", *line, "--resamples", 40, "--split", "validation") == 0
    assert (tmp_path / "runs/demo/compare/subr_k5_validation/scores/zero_shot.parquet").is_file()


def test_adapters_of_one_name_are_told_apart(compare, made, tmp_path, capsys):
    other = tmp_path / "rella/adapter"
    shutil.copytree(made / SYSTEMS["wide"], other)
    assert compare("--adapters", ADAPTER, other) == 2
    assert f"Several adapters are called rella: {ADAPTER}, {other}. Name the adapters with --systems" in (
        capsys.readouterr().err
    )
    assert compare("--adapters", ADAPTER, other, "--systems", "ours", "theirs") == 0
    assert list(results_of(tmp_path / "out")) == ["zero_shot", "ours", "theirs", *MODEL_FREE]


def damaged(folder: Path, change: Callable[[dict], object]) -> None:
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def lose_a_weight(folder: Path) -> None:
    damaged(folder, lambda weights: weights.pop(min(weights)))


def bring_a_weight(folder: Path) -> None:
    damaged(folder, lambda weights: weights.update({min(weights).replace("layers.0", "layers.9"): torch.zeros(3, 32)}))


def pickle_it(folder: Path) -> None:
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()


def cut_it(folder: Path) -> None:
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def train_it_on_another(folder: Path) -> None:
    write_base_record(folder, {"name": "other/base", "revision": "abc"})


def give_it_a_tokenizer(folder: Path) -> None:
    tokenizer = load_tokenizer(BASE)
    tokenizer.chat_template = "{% for m in messages %}<u>{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lose_a_weight, "does not load whole: 1 weights missing, 0 without a place"),
        (bring_a_weight, "does not load whole: 0 weights missing, 1 without a place"),
        (pickle_it, "pickled weights (.bin) are not read"),
        (cut_it, "is not a whole safetensors file"),
        (train_it_on_another, "was trained on other/base (abc), the base given is runs/smoke/base"),
        (give_it_a_tokenizer, "brings a tokenizer of its own, which reads these prompts otherwise"),
    ],
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_an_adapter_that_does_not_belong_is_refused_wherever_it_stands(compare, tmp_path, capsys, damage, said, first):
    broken = Path(shutil.copytree(SYSTEMS["wide"], tmp_path / "broken"))
    damage(broken)
    assert compare("--adapters", *((broken, ADAPTER) if first else (ADAPTER, broken))) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_adapter_with_the_tokenizer_of_its_base_is_taken(compare, tmp_path):
    adapter = Path(shutil.copytree(SYSTEMS["wide"], tmp_path / "wide"))
    load_tokenizer(BASE).save_pretrained(adapter)
    assert compare("--adapters", adapter) == 0


def test_an_adapter_of_a_base_of_another_name_is_scored_where_the_user_says_so(compare, tmp_path, capsys):
    adapter = Path(shutil.copytree(SYSTEMS["wide"], tmp_path / "wide"))
    (adapter / "base_model.json").unlink()
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "/elsewhere/base"}))
    assert compare("--adapters", adapter) == 2
    error = capsys.readouterr().err
    assert "was trained on '/elsewhere/base' (no revision), the base given is runs/smoke/base" in error
    assert error.count("\n") == 1
    assert compare("--adapters", adapter, "--any_base", "true") == 0
    assert "its scores may mean nothing (--any_base)" in capsys.readouterr().out
    proved = {
        name: read_scores(tmp_path / f"out/scores/{name}.parquet").record["base_proved"]
        for name in ("wide", "zero_shot")
    }
    assert proved == {"wide": False, "zero_shot": None}


@pytest.mark.parametrize("option", [{"bias": "all"}, {"init_lora_weights": "pissa"}], ids=["bias", "pissa"])
@pytest.mark.parametrize("place", [0, 1])
def test_an_adapter_that_changes_the_base_itself_is_refused(tmp_path, option, place):
    """`bias="all"` replaces the base's biases; PiSSA takes its first guess out of the base's weights."""
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(vocab_size=40, attention_bias=True, **shape)).save_pretrained(tmp_path / "base")
    base = str(tmp_path / "base")
    plain, changing = (
        make_adapter(tmp_path / name, lora(**own), base=base) for name, own in (("plain", {}), ("changing", option))
    )
    asked = [(str(plain), None)]
    asked.insert(place, (str(changing), None))
    with pytest.raises(ValueError, match=r"'.*changing' changes weights of its base itself .*Score it alone"):
        several.load_adapters(load_base(base), base_identity(base), asked, [5, 6, 7])


@pytest.mark.parametrize(
    "config",
    [lora(target_modules=["lm_head"]), LoHaConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])],
    ids=["of a layer that another keeps whole", "of another kind"],
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_adapters_that_cannot_stand_together_are_refused(compare, tmp_path, capsys, config, first):
    other = make_adapter(tmp_path / "other", config)
    assert compare("--adapters", *((other, SYSTEMS["headed"]) if first else (SYSTEMS["headed"], other))) == 2
    error = capsys.readouterr().err
    assert "does not fit beside the other adapters (it may do so alone): " in error
    assert "Traceback" not in error


def test_an_adapter_that_writes_before_the_prompt_is_refused(compare, tmp_path, capsys):
    adapter = make_adapter(tmp_path / "soft", PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4))
    assert compare("--adapters", adapter) == 2
    assert "is of type PROMPT_TUNING: it puts tokens of its own before the prompt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--adapters", ADAPTER, ADAPTER], "The same adapter is given twice"),
        (["--adapters", ADAPTER, f"{ADAPTER}/", "--systems", "a", "b"], "The same adapter is given twice"),
        (["--adapters", *ADAPTERS, "--systems", "a"], "--systems has 1 values for 3 adapters"),
        (["--adapters", ADAPTER, "--adapter_revisions", "a", "b"], "--adapter_revisions has 2 values for 1 adapters"),
        (["--adapters", ADAPTER, "--systems", "zero_shot"], "would be called zero_shot, which another row is"),
        (["--adapters", ADAPTER, "--systems", "item_mean"], "would be called item_mean, which another row is"),
        (["--adapters", ADAPTER, "--systems", "../x"], "'../x' is no name for a row and its score file"),
        (["--adapters", "nowhere"], "The adapter 'nowhere' cannot be reached"),
        (["--base", "nowhere"], "The base model 'nowhere' cannot be loaded"),
        (["--base", ADAPTER], "It holds an adapter"),
        (["--base", "runs/smoke/rella"], "It is a run folder. Its adapter is runs/smoke/rella/adapter"),
        (["--base", DATA], "It is a data set. Give it with --dataset"),
        (["--adapters", BASE], "it is a whole model; give it with --base"),
        (["--adapters", "runs/smoke/rella"], "but runs/smoke/rella/adapter has: give that"),
        (["--adapters", DATA], "it is a data set; give it with --dataset"),
        (["--dataset", "nowhere"], "The data set 'nowhere' is neither a folder here"),
        (["--config_name", "subr_k7"], "has no 'subr_k7'"),
        (["--split", "mixed"], "--split is 'mixed'"),
        (["--limit", "1"], "needs 2 or more samples of each label"),
        (["--seed", "-1"], "--seed is -1; at least 0 is needed"),
        (["--resamples", "3"], "--resamples is 3; at least 40"),
        (["--quantization", "3bit"], "--quantization is '3bit'"),
        (["--output", f"{ADAPTER}/adapter_config.json"], "is a file. Give a folder."),
        (["--adaptor", ADAPTER], "unknown option --adaptor"),
    ],
    ids=lambda value: " ".join(value[:1] + value[-1:]) if isinstance(value, list) else "",
)
def test_wrong_options_end_in_one_clear_line_and_no_file(compare, tmp_path, capsys, options, said):
    assert compare(*options) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert not list(tmp_path.iterdir())


def test_help_teaches(command, capsys):
    assert command("evaluation/compare.py", "--help") == 0
    said = capsys.readouterr().out
    assert "python evaluation/compare.py --base runs/demo/base --adapters" in said
    assert "compare.json" in said


@pytest.mark.parametrize(
    ("p", "text"), [(1.0, "1.0000"), (0.04321, "0.0432"), (0.001, "0.0010"), (9e-6, "9.0e-06"), (0.0, "< 1e-300")]
)
def test_p_is_printed_so_that_it_is_never_zero(p, text):
    assert p_text(p) == text
