"""The card of an adapter, from a tiny data set, base model and run that the project's own commands make."""

import ast
import contextlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from nasty import active, rows_of, unseen

from rella_hub.cards import results, templates, verdict
from rella_hub.cards.publishing.checks import check_card
from rella_hub.metrics import metrics
from rella_hub.paper.tables import read_table
from rella_hub.stages.arguments import EncoderArguments, FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.systems.adapter import paper
from rella_hub.systems.adapter.facts import facts
from rella_hub.tables import shots, store
from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
HIDDEN, LAYERS, RANK = 16, 2, 4
CONFIGS = ("recency_k3", "subr_k3")
DATASET, BASE, RUN, RESULTS = "rella/ml1m", "runs/base", "runs/ml1m/rella", "runs/report/results.json"
IDS = ("--hub_model_id", "org/ml1m-rella", "--base_model_id", "org/tiny", "--dataset_id", "org/ml1m")


def command(path: str, *arguments: str) -> None:
    """Run a command of the project in this process, which saves importing the libraries once for each."""
    before = sys.argv
    sys.argv = [path, *map(str, arguments)]
    try:
        runpy.run_path(str(REPOSITORY / path), run_name="__main__")
    finally:
        sys.argv = before


def render(*arguments: str) -> None:
    command("model_cards/render.py", "--run", RUN, "--results", RESULTS, *arguments)


@dataclass(frozen=True)
class Made:
    folder: Path  # everything lies below, by relative names
    text: str  # of the card
    results: dict

    @property
    def snippet(self) -> str:
        return snippet_of(self.text)


def snippet_of(text: str) -> str:
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return block


@pytest.fixture(scope="module")
def made(raw_ml1m, tiny_encoder, tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp("cards")
    with contextlib.chdir(folder):
        make_dataset(raw_ml1m, tiny_encoder)
        make_base()
        recipe = {
            "base": BASE,
            "dataset": DATASET,
            "config_name": "reit_k3",
            "num_shots": 16,
            "num_validation": 6,
            "lora_r": RANK,
            "learning_rate": 0.02,
            "num_train_epochs": 1,
            "output_dir": RUN,
        }
        Path("recipe.yaml").write_text(yaml.safe_dump(recipe))
        command("training/sft.py", "--config", "recipe.yaml")
        score("zero_shot")
        score("rella", "--adapter", f"{RUN}/adapter")
        command("evaluation/report.py", "--scores", *sorted(Path("runs").glob("*.parquet")), "--output", "runs/report")
        render()
        text = Path(RUN, "adapter/README.md").read_text(encoding="utf-8")
        return Made(folder, text, json.loads(Path(RESULTS).read_text()))


def make_dataset(raw: Path, encoder: Path) -> None:
    from rella_hub.cards.dataset.card import write_card
    from rella_hub.stages.embed import embed
    from rella_hub.stages.prepare import prepare
    from rella_hub.stages.prompt import build_prompts
    from rella_hub.stages.view import build_views

    where, views = FolderArguments(corpus="ml1m"), ViewArguments(history_length=[3])
    prepare(where, RawArguments(raw=str(raw)))
    embed(where, EncoderArguments(encoder=str(encoder), dimension=8))
    build_views(where, views)
    build_prompts(where, views, PromptArguments())
    write_card(where)


def make_base() -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from rella_hub.pretraining.tokenizer import train_tokenizer

    rows = store.read(Path(DATASET), "reit_k3", "mixed", shots.COLUMNS)
    tokenizer = train_tokenizer(
        [p + c for p, c in zip(*(rows[n].to_pylist() for n in shots.COLUMNS[1:3]), strict=True)], 600
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=2 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.3,  # wide, so that P(Yes) differs from sample to sample
    )
    LlamaForCausalLM(config).save_pretrained(BASE)
    tokenizer.save_pretrained(BASE)


def score(name: str, *adapter: str, base: str = BASE) -> None:
    for config in CONFIGS:
        command(
            "evaluation/score.py",
            *("--base", base, "--dataset", DATASET, "--config_name", config),
            *("--output", f"runs/{name}_{config}.parquet", *adapter),
        )


@pytest.fixture
def inside(made, tmp_path, monkeypatch) -> Made:
    """The same, in a copy that a test may spoil, as the current folder."""
    copy = tmp_path / "copy"
    shutil.copytree(made.folder, copy)
    monkeypatch.chdir(copy)
    return Made(copy, made.text, made.results)


def change_results(**changes) -> None:
    """Rewrite results.json with other values in the records of all rows that have a base."""
    found = json.loads(Path(RESULTS).read_text())
    for row in found["rows"]:
        if row["base"]:
            row["record"] |= changes
    Path(RESULTS).write_text(json.dumps(found))


def refused(capsys, *arguments: str) -> str:
    """The error that the command ends with."""
    with pytest.raises(SystemExit) as ended:
        render(*arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_every_result_of_the_adapters_groups_is_in_the_card(made):
    lines = made.text.splitlines()
    assert {row["config_name"] for row in made.results["rows"]} == set(CONFIGS)
    for row in made.results["rows"]:
        begin = lines.index(f"### ml1m, `{row['config_name']}`, test: n = {row['n']}")
        name = f"**{row['name']}**" if row["name"] == "rella" else row["name"]
        (line,) = [line for line in lines[begin : begin + 9] if line.startswith(f"| {name} |")]
        shown = [cell.strip() for cell in line.strip("|").split("|")]
        assert shown[2:6] == [verdict.number(row[metric.name]) for metric in metrics()]
        for metric, cell in zip(("auc", "log_loss", "accuracy"), shown[2:5], strict=True):
            numbers = [float(number) for number in re.findall(r"[\d.]+", cell)]
            assert numbers == pytest.approx([row[metric][key] for key in ("value", "low", "high")], abs=5e-5)
    assert lines.count("| system | what it is | AUC | LogLoss | ACC | GAUC | AUC - zero-shot |") == len(CONFIGS)


def test_every_number_in_the_result_tables_is_in_the_results(made):
    printed = made.text[made.text.index("## Results") : made.text.index("## What the paper prints")]
    known = set()
    for row in made.results["rows"]:
        pairs = [row, *row["against"].values()]
        intervals = [row[metric.name] for metric in metrics()] + [pair["auc_difference"] for pair in pairs]
        known |= {f"{abs(value):.4f}" for one in intervals if one for value in one.values()}
        known |= {f"{pair['delong']['p']:.4f}" for pair in pairs if pair["delong"]}
    numbers = re.findall(r"\d+\.\d{4}", printed)
    assert len(numbers) > 8 * 9
    assert set(numbers) <= known


def test_rendering_again_gives_the_same_bytes(inside):
    before = Path(RUN, "adapter/README.md").read_bytes()
    render("--output", "elsewhere/README.md")
    assert Path("elsewhere/README.md").read_bytes() == before
    assert b"\r" not in before


def test_no_placeholder_ships(made):
    for part in (Path(made.folder, RUN, "recipe.yaml").read_text(), made.snippet):
        assert part in made.text
    text = made.text.replace(Path(made.folder, RUN, "recipe.yaml").read_text(), "").replace(made.snippet, "")
    assert not re.findall(
        r"\{\{|\}\}|\{%|\{#|\[\]|\b(?:Undefined|None|nan|inf|null|TODO|More Information Needed)\b", text
    )
    assert str(made.folder) not in made.text


def test_undefined_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        templates.environment().from_string("{{ run.no_such_thing }}").render(run={})


def test_metadata_is_what_the_hub_reads(inside):
    render(*IDS, "--license", "llama2", "--output", "card/README.md")
    data = ModelCard.load("card/README.md").data
    assert (data.license, data.library_name, data.pipeline_tag) == ("llama2", "peft", "text-generation")
    assert (data.base_model, data.base_model_relation, data.datasets) == ("org/tiny", "adapter", ["org/ml1m"])
    assert "arxiv:2308.11131" in data.tags
    assert data.model_name == "ml1m-rella"
    adapters = {row["config_name"]: row for row in inside.results["rows"] if row["name"] == "rella"}
    defined = [metric for metric in metrics() for row in adapters.values() if row[metric.name]]
    assert len(data.eval_results) == len(defined) >= len(CONFIGS) * 3
    for result in data.eval_results:
        assert (result.task_type, result.dataset_type, result.dataset_split) == (
            "text-classification",
            "org/ml1m",
            "test",
        )
        (metric,) = [metric.name for metric in metrics() if metric.hub_id == result.metric_type]
        row = adapters[result.dataset_config]
        assert result.metric_value == pytest.approx(row[metric]["value"], abs=5e-5)
        assert result.dataset_args == {"samples": row["n"]}


def test_metadata_names_no_folder_as_if_it_were_on_the_hub(made):
    data = ModelCard(made.text).data.to_dict()
    assert "base_model" not in data, "runs/base is a folder"
    assert data["datasets"] == [DATASET], "the name a built data set has on the Hub too"
    assert (data["license"], data["license_name"]) == ("other", "ml1m-terms")
    assert data["license_link"] == "https://huggingface.co/datasets/rella/ml1m#licence-and-terms"


def test_hub_ids_take_the_place_of_folders(inside, capsys):
    render("--output", "card/README.md")
    assert "--base_model_id, --hub_model_id" in capsys.readouterr().err
    render(*IDS, "--output", "card/README.md")
    assert "WARNING" not in capsys.readouterr().err
    text = Path("card/README.md").read_text()
    recipe = Path(RUN, "recipe.yaml").read_text().rstrip()
    assert recipe in text
    assert not [name for name in (BASE, RUN, DATASET) if name in text.replace(recipe, "")]
    assert 'base, adapter = "org/tiny", "org/ml1m-rella"' in text
    assert 'load_dataset("org/ml1m", "subr_k3"' in text


def test_base_of_the_hub_is_pinned(inside):
    change_results(base="org/other", base_identity={"name": "org/other", "revision": "0123abcd"}, dataset_revision="v1")
    render("--output", "card/README.md")
    text = Path("card/README.md").read_text()
    assert ModelCard(text).data.base_model == "org/other"
    assert snippet_of(text).count('revision="0123abcd"') == 2
    assert 'revision="v1"' in snippet_of(text)


@pytest.mark.parametrize("quantization", ["none", "8bit", "4bit"])
@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_snippet_is_python_for_every_number_format(inside, quantization, dtype):
    change_results(quantization=quantization, dtype=dtype)
    render("--output", "card/README.md")
    snippet = snippet_of(Path("card/README.md").read_text())
    ast.parse(snippet)
    assert (f"load_in_{quantization}" in snippet) == (quantization != "none")
    assert ("dtype = torch.bfloat16\n" in snippet) == (dtype == "bfloat16")


def test_snippet_scores_like_the_scorer(made, tmp_path):
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path),
        "HF_DATASETS_CACHE": str(tmp_path / "d"),
    }
    environment.pop("PYTHONPATH", None)
    (tmp_path / "snippet.py").write_text(made.snippet)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "snippet.py")], cwd=made.folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert not re.search(
        r"dataset_builders|evaluation|training", "\n".join(re.findall(r"^(?:from|import) .*", made.snippet, re.M))
    )
    check_printed(done.stdout, made.folder / "runs/rella_subr_k3.parquet")


TEMPLATE = (
    "{% if enable_thinking is defined %}{{ strftime_now('%d %B %Y') if enable_thinking else 'At once' }}\n{% endif %}"
    "{% for m in messages %}user: {{ m['content'] }}{% endfor %}\nassistant:\n"
)


@pytest.mark.parametrize(
    "arguments",
    [
        None,
        {"enable_thinking": False},
        {"enable_thinking": True, "strftime_now": "2025-01-31"},
        {"chat_template": 'Read "{{ messages[0].content }}"\nand answer:\n'},
    ],
    ids=["plain", "argument", "date", "another template"],
)
def test_snippet_uses_the_chat_template_like_the_scorer(inside, capsys, arguments):
    """The base has a template, and the adapter was trained in it with these arguments."""
    shutil.copytree(BASE, "runs/chat")
    shutil.copytree(RUN, "runs/chat_run")
    for folder in ("runs/chat", "runs/chat_run/adapter"):
        change_json(Path(folder, "tokenizer_config.json"), chat_template=TEMPLATE)
    change_json(Path("runs/chat_run/adapter/base_model.json"), chat_template_kwargs=arguments, tokenizer=None)
    recipe = yaml.safe_load(Path("runs/chat_run/recipe.yaml").read_text()) | {"chat_template_kwargs": arguments}
    Path("runs/chat_run/recipe.yaml").write_text(yaml.safe_dump(recipe))
    given = ["--chat_template_kwargs", json.dumps(arguments)] if arguments else []
    score("chat", "--adapter", "runs/chat_run/adapter", *given, base="runs/chat")
    command("model_cards/render.py", "--run", "runs/chat_run")
    card = Path("runs/chat_run/adapter/README.md").read_text(encoding="utf-8")
    capsys.readouterr()
    exec(snippet_of(card).replace(BASE, "runs/chat"), {})
    check_printed(capsys.readouterr().out, Path("runs/chat_subr_k3.parquet"))
    check_card(card, ())
    assert ("with the arguments `" in card) is bool(arguments and "chat_template" not in arguments)
    assert ("the one of the recipe in its place" in card) is ("chat_template" in (arguments or {}))
    plain, chat = (read_scores(Path(f"runs/{name}_subr_k3.parquet")).score for name in ("rella", "chat"))
    assert np.abs(plain - chat).max() > 1e-3, "the template changes what the model reads"


def change_json(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def check_printed(printed: str, scores: Path) -> None:
    found = re.findall(r"^sample (\d+): P\(Yes\) = ([\d.]+), label ([01])$", printed, re.MULTILINE)
    assert len(found) == 5
    expected = read_scores(scores)
    by_sample = dict(zip(expected.sample_id.tolist(), zip(expected.score, expected.label, strict=True), strict=True))
    assert len({value for _, value, _ in found}) > 1
    for sample, value, label in found:
        assert (float(value), int(label)) == (
            pytest.approx(by_sample[int(sample)][0], abs=1e-5),
            by_sample[int(sample)][1],
        )


def test_trainable_weights_are_counted(made, inside):
    counted = (
        LAYERS * 2 * (RANK * HIDDEN + HIDDEN * RANK)
    )  # a down and an up matrix for the query and the value of each layer
    assert facts(Path(RUN)).weights == counted
    assert f"| trainable weights, counted in the file | {counted:,} |" in made.text
    (printed,) = read_table("efficiency").where({"system": "ReLLa"})
    assert f"{printed['trainable_weights']:,} printed for Vicuna-13B" in made.text


def test_recipe_stands_verbatim_and_runs_again(made):
    (block,) = re.findall(r"```yaml\n(.*?)```", made.text, re.DOTALL)
    assert block == Path(made.folder, RUN, "recipe.yaml").read_text()


def test_training_curve_ships_with_the_card(inside):
    assert "](training.png)" in inside.text
    assert Path(RUN, "adapter/training.png").read_bytes() == Path(RUN, "training.png").read_bytes()
    Path(RUN, "training.png").unlink()
    render("--output", "card/README.md")
    assert "training.png" not in Path("card/README.md").read_text()
    assert sorted(path.name for path in Path("card").iterdir()) == [".rella.json", "README.md"]


def test_data_are_said_not_to_be_official(made):
    assert "**Unverified**: made from an unpacked folder" in made.text
    assert "do not quote these as results on MovieLens-1M" in made.text
    assert store.provenance(made.folder / DATASET, "interactions")["raw_sha256"] in made.text


def test_paper_rows_stand_apart_with_their_source(made):
    section = made.text[
        made.text.index("## What the paper prints on MovieLens-1M") : made.text.index("## Load and score")
    ]
    assert "No number below is one of this project" in section
    assert f"The base model is {BASE}, the paper's is Vicuna-13B." in section
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    expected = paper.paper_rows("ml1m", BASE)
    assert len(rows) == len(expected) == 5 + 3 + 1
    for line, row in zip(rows, expected, strict=True):
        assert f"| {row['auc']:.4f} | {row['log_loss']:.4f} | {row['accuracy']:.4f} | {row['source']} |" in line


def test_paper_rows_of_our_base_are_added():
    added = [row for row in paper.paper_rows("ml1m", "mistralai/Mistral-7B-v0.1") if row["base"] == "Mistral-7B"]
    assert [row["setting"] for row in added] == ["zero-shot", "zero-shot", "few-shot <1%", "few-shot <10%"]


def test_corpus_that_the_paper_does_not_have_has_no_paper_rows():
    assert paper.paper_rows("demo", "any") == []


def an_interval(value: float) -> dict:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def a_row(name: str, auc: float, base: str | None = "b", **differences: float) -> dict:
    against = {
        other: {"auc_difference": an_interval(value), "delong": {"p": 1e-9 if abs(value) > 0.01 else 0.0312}}
        for other, value in differences.items()
    }
    return {"name": name, "base": base, "auc": an_interval(auc), "against": against}


def a_comparison(
    zero_shot: bool = True, difference: float = 0.1, floor: float = 0.6, both: float = 0.05
) -> results.Comparison:
    return results.Comparison(
        corpus="demo",
        split="test",
        config_name="subr_k3",
        own=a_row("rella", 0.7, zero_shot=difference, history_mean=0.7 - floor, both_means=both),
        zero_shot=a_row("zero_shot", 0.7 - difference) if zero_shot else None,
        model_free=[a_row("history_mean", floor, base=None), a_row("both_means", 0.7 - both, base=None)],
        others=[],
        notes=[],
    )


@pytest.mark.parametrize(
    ("comparison", "said", "beats_all"),
    [
        (
            a_comparison(),
            (
                "By AUC, 0.7000 [0.6900, 0.7100], this adapter is **better than** `zero_shot` (difference +0.1000 [+0.0900, +0.1100], "
                "p = 1.0e-09), `history_mean` (difference +0.1000 [+0.0900, +0.1100], p = 1.0e-09) and `both_means` (difference "
                "+0.0500 [+0.0400, +0.0600], p = 1.0e-09)."
            ),
            True,
        ),
        (
            a_comparison(both=0.005),
            (
                "By AUC, 0.7000 [0.6900, 0.7100], this adapter is **better than** `zero_shot` (difference +0.1000 [+0.0900, +0.1100], "
                "p = 1.0e-09) and `history_mean` (difference +0.1000 [+0.0900, +0.1100], p = 1.0e-09) and **not told apart from** "
                "`both_means` (difference +0.0050 [-0.0050, +0.0150], p = 0.0312)."
            ),
            False,
        ),
        (
            a_comparison(difference=-0.1),
            (
                "By AUC, 0.7000 [0.6900, 0.7100], this adapter is **better than** `history_mean` (difference +0.1000 [+0.0900, +0.1100], "
                "p = 1.0e-09) and `both_means` (difference +0.0500 [+0.0400, +0.0600], p = 1.0e-09) and **worse than** `zero_shot` "
                "(difference -0.1000 [-0.1100, -0.0900], p = 1.0e-09)."
            ),
            False,
        ),
        (
            a_comparison(zero_shot=False, floor=0.9, both=-0.2),
            (
                "By AUC, 0.7000 [0.6900, 0.7100], this adapter is **worse than** `history_mean` (difference -0.2000 [-0.2100, -0.1900], "
                "p = 1.0e-09) and `both_means` (difference -0.2000 [-0.2100, -0.1900], p = 1.0e-09). There are no zero-shot scores of "
                "its base model to compare with, so it is not known whether tuning helped."
            ),
            False,
        ),
    ],
)
def test_verdict_says_what_the_intervals_say(comparison, said, beats_all):
    assert verdict.sentence(comparison) == said
    assert comparison.beats_all is beats_all


def test_main_comparison_is_what_the_adapter_was_trained_for():
    def of(corpus, split, config_name):
        return results.Comparison(corpus, split, config_name, {}, None, [], [], [])

    found = [of("demo", "test", "subr_k3"), of("ml1m", "validation", "subr_k3"), of("ml1m", "test", "recency_k3")]
    best = of("ml1m", "test", "subr_k3")
    assert results.main_comparison([*found, best], "ml1m", "reit_k3") is best
    assert results.main_comparison([*found, best], "ml1m", "recency_k3") is found[2]


def test_adapter_is_found_by_its_weights_wherever_it_lies(inside):
    Path("runs/ml1m").rename("runs/renamed")
    command(
        "model_cards/render.py", "--run", "runs/renamed/rella", "--results", RESULTS, *IDS, "--output", "card/README.md"
    )
    assert "| **rella** | this adapter |" in Path("card/README.md").read_text()


def test_results_without_the_adapter_are_an_error(inside, capsys):
    found = json.loads(Path(RESULTS).read_text())
    for row in found["rows"]:
        if row["name"] == "rella":
            row["record"]["adapter_identity"]["sha256"] = "0" * 64
    Path(RESULTS).write_text(json.dumps(found))
    before = Path(RUN, "adapter/README.md").read_bytes()
    assert re.search(
        r"has no row of the adapter .* It has: both_means, history_mean, item_mean, rella, zero_shot", refused(capsys)
    )
    assert Path(RUN, "adapter/README.md").read_bytes() == before


def against(name: str, *paired) -> None:
    """Results in which a row is compared with another in this way, or not at all."""
    results = json.loads(Path(RESULTS).read_text())
    for row in results["rows"]:
        if row["against"].pop(name, None):
            row["against"] |= dict.fromkeys([name] if paired else [], *paired)
    Path(RESULTS).write_text(json.dumps(results))


def of_0_2() -> None:
    """Results as version 0.2 wrote them."""
    results = json.loads(Path(RESULTS).read_text())
    for row in results["rows"]:
        del row["against"], row["delong"], row["group_auc"]
    Path(RESULTS).write_text(json.dumps(results))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: shutil.rmtree(RUN), "no run folder"),
        (lambda: Path(RUN, "recipe.yaml").unlink(), r"no .*recipe\.yaml"),
        (lambda: Path(RUN, "recipe.yaml").write_text("base: x\n"), r"recipe\.yaml lacks dataset"),
        (lambda: Path(RUN, "training.json").write_text("{"), r"training\.json cannot be read"),
        (lambda: Path(RUN, "adapter/adapter_model.safetensors").unlink(), "did not finish"),
        (lambda: Path(RUN, "adapter/adapter_model.safetensors").write_bytes(b"x" * 40), "not a whole safetensors file"),
        (lambda: Path(RUN, "adapter/base_model.json").unlink(), r"no .*base_model\.json"),
        (lambda: Path(RESULTS).unlink(), "There are no results"),
        (lambda: Path(RESULTS).write_text("{"), "is not JSON"),
        (lambda: Path(RESULTS).write_text("{}"), "lacks rows"),
        (
            lambda: Path(RESULTS).write_text('{"results": {"acc": 0.5}, "versions": {}}'),
            "lacks rows",
        ),  # lm-evaluation-harness
        (lambda: Path(RESULTS).write_text('{"rows": {"a": 1}, "notes": 3, "resamples": 1, "seed": 0}'), "lacks rows"),
        (lambda: Path(RESULTS).write_text("[" * 100_000), "nested more than 32 deep"),
        (lambda: against("item_mean", None), "against: it holds None, expected a group of values"),
        (lambda: against("item_mean", {"auc_difference": None, "delong": None}), "auc_difference"),
        (lambda: against("item_mean", {"auc_difference": {"value": 0.1}, "delong": None}), "low"),
        (lambda: against("both_means"), "does not compare rella with both_means. Make the report again"),
        (of_0_2, "lacks against: .* or one of version 0.2. Make the report again"),
        (lambda: shutil.rmtree(DATASET), "neither a folder here nor to be had from the Hub"),
    ],
)
def test_missing_or_damaged_input_is_an_error(inside, capsys, spoil, message):
    spoil()
    error = refused(capsys, "--output", "card/README.md")
    assert error.startswith("error: ")
    assert re.search(message, error)
    assert not Path("card").exists()


def test_weights_of_another_run_are_an_error(inside, capsys):
    path = Path(RUN, "training.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trainable_weights": 7}))
    assert re.search(r"has 512 weights, but .* tells of 7 trained ones", refused(capsys))


def test_full_finetuning_is_an_error(inside, capsys):
    path = Path(RUN, "recipe.yaml")
    path.write_text(path.read_text().replace("full_finetuning: false", "full_finetuning: true"))
    assert "which has no adapter" in refused(capsys)


@pytest.mark.parametrize("name", ["rella", "a/b/c", "../x", "a b/c"])
def test_what_is_no_hub_id_is_an_error(inside, capsys, name):
    assert "expected a Hub id, owner/name" in refused(capsys, "--hub_model_id", name)


def test_a_card_without_results_says_that_it_is_not_scored(inside):
    command("model_cards/render.py", "--run", RUN, *IDS, "--license", "llama2", "--output", "card/README.md")
    text = Path("card/README.md").read_text()
    training = json.loads(Path(RUN, "training.json").read_text())
    assert "> **Not scored yet.**" in text
    assert f"the best of all epochs | {training['best_validation_auc']:.4f} |" in text
    assert not [
        said for said in ("The scores above", "better than", "What the paper prints", "zero_shot") if said in text
    ]
    data = ModelCard(text).data
    assert (data.eval_results, data.metrics, data.base_model, data.license) == (None, None, "org/tiny", "llama2")
    ast.parse(snippet_of(text))
    assert 'load_dataset("org/ml1m", "reit_k3", split="test[:5]")' in text


NASTY = "x # h <script>a</script> [l](javascript:b) ``` | {{ c }} $d$"  # one line: more are refused when the results are read


def test_names_and_notes_of_other_people_are_text_in_the_card(inside):
    found = json.loads(Path(RESULTS).read_text())
    for row in found["rows"]:
        if row["name"] not in ("rella", "zero_shot"):
            row["name"] = row["system"] = f"{row['name']} {NASTY}"
        renamed = {name: name if name == "zero_shot" else f"{name} {NASTY}" for name in row["against"]}
        row["against"] = {renamed[name]: paired for name, paired in row["against"].items()}
        row["record"]["libraries"] = {"torch": NASTY}
    where = {key: found["rows"][0][key] for key in ("corpus", "split", "config_name")}
    found["notes"].append(where | {"note": f"no rows for {NASTY}"})
    Path(RESULTS).write_text(json.dumps(found))
    change_results(base=f"/models/{NASTY}", dataset_revision=NASTY)
    recipe = Path(RUN, "recipe.yaml")
    recipe.write_text(recipe.read_text() + "note: |\n  ```\n  # hidden\n")
    render()
    card = Path(RUN, "adapter/README.md").read_text(encoding="utf-8")
    assert unseen(card) == set()
    body, plain_body = (text.partition("\n---\n")[2] for text in (card, inside.text))
    assert active(body).count("heading_open") == active(plain_body).count("heading_open")
    assert rows_of(body) == rows_of(plain_body)
    for token in ("html_inline", "html_block", "link_open", "image", "fence"):
        assert active(body).count(token) == active(plain_body).count(token)
    ast.parse(snippet_of(card))


def test_a_dtype_that_is_no_name_never_becomes_code(inside, capsys):
    change_results(dtype="float32, trust_remote_code=True")
    assert "its dtype is 'float32, trust_remote_code=True', expected a plain name" in refused(capsys)
