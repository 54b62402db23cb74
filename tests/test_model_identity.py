"""What pins a model beside its weights: whatever changes a score changes the identity, and nothing else does."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rella_hub.files import ownership
from rella_hub.hub.identity import config_hash, tokenizer_hash
from rella_hub.language_models.load import load_tokenizer
from rella_hub.systems.adapter.options import RUN
from rella_hub.tables.scores import read_scores, write_scores
from rella_hub.vectors.encode import encoder_revision

REPOSITORY = Path(__file__).parents[1]
COMMON = ["--dataset", "runs/smoke/data", "--config_name", "subr_k5", "--limit", 20]
ADAPTER = "runs/smoke/rella/adapter"


def edit(file: str, change: Callable[[dict], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        values = json.loads((folder / file).read_text(encoding="utf-8"))
        change(values)
        (folder / file).write_text(json.dumps(values), encoding="utf-8")

    return apply


def swap(values: dict) -> None:
    vocabulary = values["model"]["vocab"]
    vocabulary["Yes"], vocabulary["No"] = vocabulary["No"], vocabulary["Yes"]


def windows(folder: Path) -> None:
    """As git may check it out on another system."""
    for path in folder.glob("*.json"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    template = folder / "chat_template.jinja"
    template.write_bytes(template.read_bytes().replace(b"\n", b"\r\n"))


@pytest.fixture
def base(smoke, tmp_path, monkeypatch) -> Path:
    """A copy of the smoke run's base, with a template of two lines."""
    monkeypatch.chdir(smoke.folder)
    folder = Path(shutil.copytree("runs/smoke/base", tmp_path / "base"))
    (folder / "chat_template.jinja").write_text(
        "{% for m in messages %}\n{{ m.content }}\n{% endfor %}", encoding="utf-8"
    )
    return folder


MATTERS = {
    "config, rotation": edit("config.json", lambda c: c["rope_parameters"].update(rope_theta=500.0)),
    "config, norm": edit("config.json", lambda c: c.update(rms_norm_eps=0.1)),
    "config, activation": edit("config.json", lambda c: c.update(hidden_act="relu")),
    "config, window": edit("config.json", lambda c: c.update(sliding_window=4)),
    "tokenizer, vocabulary": edit("tokenizer.json", swap),
    "tokenizer, merges": edit("tokenizer.json", lambda t: t["model"]["merges"].pop()),
    "tokenizer, added": edit("tokenizer.json", lambda t: t["added_tokens"].pop()),
    "tokenizer, normalizer": edit("tokenizer.json", lambda t: t.update(normalizer={"type": "Lowercase"})),
    "tokenizer, end of text": edit("tokenizer_config.json", lambda t: t.update(eos_token="<|pad|>")),
    "tokenizer, template": lambda folder: (folder / "chat_template.jinja").write_text("{{ messages[0].content }}"),
    "tokenizer, no template": lambda folder: (folder / "chat_template.jinja").unlink(),
    "tokenizer, special tokens": lambda folder: (folder / "special_tokens_map.json").write_text(
        '{"bos_token": "<|end|>"}'
    ),
    "tokenizer, added file": lambda folder: (folder / "added_tokens.json").write_text('{"<new>": 300}'),
    "tokenizer, sentencepiece": lambda folder: (folder / "tokenizer.model").write_bytes(b"\x00"),
}
DOES_NOT = {
    "where it was saved": edit("config.json", lambda c: c.update(_name_or_path="/home/me/base")),
    "by which version": edit("config.json", lambda c: c.update(transformers_version="4.0.0")),
    "number format of the file": edit("config.json", lambda c: c.update(dtype="float16", torch_dtype="float16")),
    "cache": edit("config.json", lambda c: c.update(use_cache=False)),
    "how it samples": edit("config.json", lambda c: c.update(temperature=0.1, do_sample=True)),
    "order of the keys": edit("config.json", lambda c: c.update({"model_type": c.pop("model_type")})),
    "where the tokenizer was": edit("tokenizer_config.json", lambda t: t.update(name_or_path="/x", is_local=True)),
    "how texts were padded": edit("tokenizer.json", lambda t: t.update(truncation={"max_length": 3})),
    "line endings": windows,
    "a card": lambda folder: (folder / "README.md").write_text("# Base"),
    "generation": lambda folder: (folder / "generation_config.json").write_text('{"top_k": 1}'),
    "a log": lambda folder: (folder / "trainer_state.json").write_text("{}"),
}


@pytest.mark.parametrize("change", MATTERS)
def test_what_can_change_a_score_changes_the_identity(base, change):
    before = config_hash(base), tokenizer_hash(base)
    MATTERS[change](base)
    of_config = change.startswith("config")
    assert (config_hash(base) != before[0]) is of_config
    assert (tokenizer_hash(base) != before[1]) is not of_config


@pytest.mark.parametrize("change", DOES_NOT)
def test_what_cannot_change_a_score_does_not_change_the_identity(base, change):
    before = config_hash(base), tokenizer_hash(base)
    DOES_NOT[change](base)
    assert (config_hash(base), tokenizer_hash(base)) == before


def test_a_damaged_file_is_named(base):
    for name in ("config.json", "tokenizer.json"):
        (base / name).write_text("{", encoding="utf-8")
        with pytest.raises(ValueError, match=rf"{name} is not JSON"):
            (config_hash if name == "config.json" else tokenizer_hash)(base)


def test_scores_and_runs_of_a_base_that_was_changed_are_not_kept(command, base, tmp_path, capsys):
    (base / "chat_template.jinja").unlink()
    scoring = ["evaluation/score.py", "--base", base, *COMMON, "--output", tmp_path / "scores.parquet"]
    tuning = ["training/sft.py", "--config", REPOSITORY / "training/recipes/smoke/rella.yaml", "--base", base]
    tuning += ["--num_shots", 8, "--num_train_epochs", 1, "--num_validation", 20, "--output_dir", tmp_path / "run"]
    assert command(*scoring) == command(*tuning) == 0
    (base / "README.md").write_text("# Base")
    capsys.readouterr()
    assert command(*scoring) == command(*tuning) == 0
    said = capsys.readouterr().out
    assert said.count("unchanged inputs, kept") == 2
    with_adapter = ["--adapter", tmp_path / "run/adapter", "--output", tmp_path / "adapter.parquet"]
    MATTERS["config, rotation"](base)
    assert command(*scoring) == 2
    assert "its base_identity.config is 'sha256:" in capsys.readouterr().err
    assert command(*tuning) == 2
    assert "its configuration of the base model is 'sha256:" in capsys.readouterr().err
    assert command(*scoring[:-2], *with_adapter) == 2
    assert "the same weights with another config" in capsys.readouterr().err


def test_scores_and_runs_that_do_not_record_it_are_out_of_date(command, base, smoke, tmp_path, capsys):
    """As version 0.2 left them."""
    (base / "chat_template.jinja").unlink()
    scoring = ["evaluation/score.py", "--base", base, *COMMON, "--output", tmp_path / "scores.parquet"]
    assert command(*scoring) == 0
    scores = read_scores(tmp_path / "scores.parquet")
    old = {
        **scores.record,
        "base_identity": {k: scores.record["base_identity"][k] for k in ("name", "revision", "weights")},
    }
    old = {key: value for key, value in old.items() if key not in ("chat_template_kwargs", "computed_in")}
    write_scores(
        tmp_path / "scores.parquet",
        scores.sample_id,
        scores.user_id,
        scores.label,
        scores.score,
        {**old, "fingerprint": "0"},
    )
    assert command(*scoring) == 2
    assert "its base_identity.config is None, asked for is 'sha256:" in capsys.readouterr().err
    run = Path(shutil.copytree(smoke.run, tmp_path / "run"))
    old = {
        key: value for key, value in json.loads((run / "inputs.json").read_text()).items() if "of the base" not in key
    }
    with ownership.writing_file(run / "inputs.json", RUN) as temporary:
        temporary.write_text(json.dumps(old))
    tuning = ["training/sft.py", "--config", REPOSITORY / "training/recipes/smoke/rella.yaml", "--output_dir", run]
    assert command(*tuning) == 2
    assert "its configuration of the base model is 'not recorded', asked for is 'sha256:" in capsys.readouterr().err


def own_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("Question: {{ messages[0].content }}\nAnswer:", encoding="utf-8")


def own_vocabulary(folder: Path) -> None:
    edit("tokenizer.json", swap)(folder)


def without_tokenizer(folder: Path) -> None:
    for path in folder.glob("*token*"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda folder: None, False),
        (without_tokenizer, False),
        (lambda folder: edit("tokenizer_config.json", lambda t: t.update(model_max_length=7))(folder), False),
        (own_template, True),
        (own_vocabulary, True),
        (lambda folder: (without_tokenizer(folder), own_template(folder)), True),
    ],
    ids=["as trained", "none", "another length", "another template", "another vocabulary", "a template alone"],
)
def test_score_and_compare_have_one_rule_for_what_lies_beside_an_adapter(
    command, smoke, monkeypatch, tmp_path, capsys, change, refused
):
    monkeypatch.chdir(smoke.folder)
    adapter = Path(shutil.copytree(ADAPTER, tmp_path / "mine"))
    change(adapter)
    common = ["--base", "runs/smoke/base", *COMMON]
    for line in (
        ["evaluation/score.py", *common, "--adapter", adapter, "--output", tmp_path / "out/a.parquet"],
        ["evaluation/compare.py", *common, "--adapters", adapter, "--resamples", 40, "--output", tmp_path / "out"],
    ):
        assert command(*line) == (2 if refused else 0)
        said = capsys.readouterr().err
        assert ("brings a tokenizer of its own, which reads these prompts otherwise" in said) is refused
    assert (tmp_path / "out").exists() is not refused


def test_adapters_of_the_same_weights_and_another_scale_are_two(command, smoke, monkeypatch, tmp_path):
    monkeypatch.chdir(smoke.folder)
    other = Path(shutil.copytree(ADAPTER, tmp_path / "louder"))
    edit("adapter_config.json", lambda c: c.update(lora_alpha=64))(other)
    line = ["--base", "runs/smoke/base", *COMMON, "--adapters", ADAPTER, other, "--resamples", 40]
    assert command("evaluation/compare.py", *line, "--output", tmp_path / "out") == 0
    one, two = (read_scores(tmp_path / f"out/scores/{name}.parquet") for name in ("rella", "louder"))
    assert np.abs(one.score - two.score).max() > 1e-4


def test_an_encoder_is_pinned_by_its_tokenizer_and_configuration(tiny_encoder, tmp_path):
    folder = Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))
    before = encoder_revision(str(folder))
    assert before == encoder_revision(str(tiny_encoder))
    for change in (
        edit("config.json", lambda c: c.update(layer_norm_eps=0.5)),
        edit("config.json", lambda c: c.update(dtype="bfloat16")),  # which it is loaded and computed in
        edit("tokenizer.json", lambda t: t.update(normalizer={"type": "Lowercase"})),
    ):
        change(folder)
        assert encoder_revision(str(folder)) != before
        before = encoder_revision(str(folder))
    load_tokenizer(str(folder))  # is still one


def test_constant_scores_are_said_and_end_a_tuning(command, smoke, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(smoke.folder)
    monkeypatch.setattr(
        "rella_hub.systems.adapter.score.p_yes_of_systems",
        lambda model, systems, prompts, *_, **__: np.full((len(systems), len(prompts)), 0.25),
    )
    scoring = ["--base", "runs/smoke/base", *COMMON, "--output", tmp_path / "scores.parquet"]
    assert command("evaluation/score.py", *scoring) == 0
    assert "WARNING: zero_shot gives every prompt the same score (0.250000)" in capsys.readouterr().err
    report = ["--scores", tmp_path / "scores.parquet", "--resamples", 40, "--output", tmp_path / "report"]
    assert command("evaluation/report.py", *report) == 0
    assert "has the same score for every sample" in capsys.readouterr().err
    assert (
        "WARNING: zero_shot has the same score (0.250000) for all 20 samples"
        in (tmp_path / "report/report.md").read_text()
    )
    monkeypatch.setattr(
        "rella_hub.systems.adapter.train.p_yes", lambda model, prompts, *_, **__: np.full(len(prompts), 0.5)
    )
    tuning = [
        "--config",
        REPOSITORY / "training/recipes/smoke/rella.yaml",
        "--num_shots",
        8,
        "--output_dir",
        tmp_path / "run",
    ]
    assert command("training/sft.py", *tuning) == 2
    assert "validation prompts get the same score (0.500000)" in capsys.readouterr().err
    assert not (tmp_path / "run/adapter").exists()
