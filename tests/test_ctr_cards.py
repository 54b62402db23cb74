"""The card of a traditional CTR model: a whole golden text, every number from the run or the results, and what it refuses."""

import ast
import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from ctr_batches import FIELD_SIZES, HISTORY_LENGTH, RATING_VALUES
from ctr_release import DATA, RESULTS, RUN, SCORES, WITH_LANGUAGE_MODEL
from hub_cards import check_card
from huggingface_hub import ModelCard
from nasty import active, rows_of, unseen
from safetensors.numpy import load_file, save_file

from rella_hub.cards.publishing.checks import check_card as check_filled
from rella_hub.cards.results import read_results
from rella_hub.corpora import load_corpus
from rella_hub.files.hashes import hash_file
from rella_hub.metrics import metrics
from rella_hub.networks.ctr import load_model_class, model_names
from rella_hub.networks.sequence import encoder_names, load_encoder_class
from rella_hub.paper.tables import read_table
from rella_hub.systems.ctr import architecture, paper
from rella_hub.systems.ctr import facts as run
from rella_hub.systems.vocabulary import load_values
from rella_hub.systems.whole_run import WEIGHTS
from rella_hub.tables import runs
from rella_hub.tables.scores import read_scores, write_scores

REPOSITORY = Path(__file__).parents[1]
GOLDEN = REPOSITORY / "tests/golden/ml1m/ctr_card.md"
CARD = "card/README.md"


@pytest.fixture
def inside(ctr_release, tmp_path, monkeypatch):
    """A copy that a test may spoil, as the current folder."""
    shutil.copytree(ctr_release.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return ctr_release


@pytest.fixture
def render(inside, command):
    def run_command(*options, model: str = RUN, results: str | None = RESULTS) -> int:
        given = ("--results", results) if results else ()
        return command("model_cards/render.py", "--run", model, *given, "--output", CARD, *options)

    return run_command


def change(path: str, **values) -> None:
    Path(path).write_text(json.dumps(json.loads(Path(path).read_text()) | values))


def test_golden_card(render, command):
    """From weights, log and scores that are the same on every machine. Delete the golden file to have it written anew, and read it."""
    weights = Path(RUN, "model/model.safetensors")
    save_file({name: np.zeros_like(values) for name, values in load_file(weights).items()}, weights)
    log = [
        {"epoch": epoch, "loss": 0.7 - epoch / 50, "auc": auc, "log_loss": 0.68, "accuracy": 0.55}
        for epoch, auc in ((1, 0.61), (2, 0.59))
    ]
    change(f"{RUN}/training.json", seconds=12.5, best_epoch=1, best_validation=log[0], log=log)
    scores = read_scores(Path(SCORES))
    record = scores.record | {"libraries": {"torch": "2.0"}}
    record["model_identity"]["sha256"] = hash_file(weights)
    drawn = np.linspace(0.2, 0.9, len(scores.label))[::-1]
    write_scores(Path(SCORES), scores.sample_id, scores.user_id, scores.label, drawn, record)
    files = (SCORES, "runs/ml1m/scores/zero_shot.parquet")
    assert command("evaluation/report.py", "--scores", *files, "--output", "report", "--resamples", 50) == 0
    assert render("--hub_model_id", "org/ml1m-din", results="report/results.json") == 0
    card = Path(CARD).read_bytes()
    assert check_card(card.decode(), "model") == ([], [])
    if not GOLDEN.exists():
        GOLDEN.write_bytes(card)
        pytest.fail(f"{GOLDEN.name} was not there and is written now. Read it, and run again.")
    assert card == GOLDEN.read_bytes()


def test_rendering_again_gives_the_same_bytes_here_and_in_the_run(render, command):
    assert render() == 0
    before = Path(CARD).read_bytes()
    assert command("model_cards/render.py", "--run", RUN, "--results", RESULTS) == 0
    assert Path(RUN, "model/README.md").read_bytes() == before
    assert Path(RUN, "model/training.png").read_bytes() == Path(RUN, "training.png").read_bytes()
    assert b"\r" not in before


def numbers_of(row: dict) -> set[str]:
    """Every number of a row of results, as cards print them."""
    pairs = [row, *row["against"].values()]
    intervals = [row[metric.name] for metric in metrics()] + [pair["auc_difference"] for pair in pairs]
    tests = [pair["delong"]["p"] for pair in pairs if pair["delong"]]
    return {f"{abs(value):.4f}" for one in intervals if one for value in one.values()} | {f"{p:.4f}" for p in tests}


@pytest.mark.parametrize("results", [None, RESULTS, WITH_LANGUAGE_MODEL])
@pytest.mark.parametrize("model", ["runs/ml1m/din", "runs/ml1m/sim"])
def test_every_number_is_of_the_run_the_results_or_the_paper(render, results, model):
    assert render("--hub_model_id", "org/x", model=model, results=results) == 0
    text = Path(CARD).read_text()
    training = json.loads(Path(model, "training.json").read_text())
    known = {f"{epoch[key]:.4f}" for epoch in training["log"] for key in ("loss", "auc", "log_loss", "accuracy")}
    rows = json.loads(Path(results).read_text())["rows"] if results else []
    for row in rows:
        known |= numbers_of(row)
    if results:
        (printed,) = read_table("overall").where({"system": Path(model).name.upper(), "corpus": "ml1m"})
        known |= {f"{printed[metric]:.4f}" for metric in ("auc", "log_loss", "accuracy")}
    found = set(re.findall(r"\d+\.\d{4}\b", text[: text.index("## Citation")]))
    assert found <= known
    assert {f"{epoch['auc']:.4f}" for epoch in training["log"]} <= found
    assert {f"{row['auc']['low']:.4f}" for row in rows} <= found
    for line in (
        f"| training samples | {training['training_samples']} |",
        f"| trained weights, counted in the file | {training['weights']:,} |",
        f"| epoch kept | {training['best_epoch']} of {len(training['log'])}, by validation AUC |",
        f"| seconds in all | {training['seconds']} |",
        f"| SHA-256 of `model.safetensors` | `{hash_file(Path(model, 'model/model.safetensors'))}` |",
    ):
        assert line in text
    values = load_values(Path(model, "model"))
    for field in load_corpus("ml1m").features:
        assert f"| {field} | {values.field_sizes[field] - 1:,} |" in text
    shown = text.replace("{lin2024rella", "").replace(", None, ScoreOptions())", "")  # the revision, in the code
    assert not re.findall(r"\{\{|\}\}|\{%|\{#|\b(?:Undefined|None|nan|inf|TODO)\b", shown)
    assert Path(model, "recipe.yaml").read_text().rstrip() in text


def test_metadata_is_what_the_hub_reads(render, inside):
    assert render("--hub_model_id", "org/ml1m-din") == 0
    data = ModelCard.load(CARD).data
    assert (data.library_name, data.pipeline_tag, data.model_name) == ("rella", "tabular-classification", "ml1m-din")
    assert (data.license, data.license_name, data.datasets) == ("other", "ml1m-terms", [DATA])
    assert {"din", "pytorch_model_hub_mixin", "arxiv:2308.11131"} <= set(data.tags)
    assert "base_model" not in data.to_dict()
    (own,) = [row for row in inside.rows if row["name"] == "din"]
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    assert found == {metric.hub_id: round(own[metric.name]["value"], 4) for metric in metrics() if own[metric.name]}
    assert render("--hub_model_id", "org/ml1m-din", "--license", "cc-by-4.0") == 0
    assert ModelCard.load(CARD).data.license == "cc-by-4.0"
    assert "is under the licence `cc-by-4.0`" in Path(CARD).read_text()


def test_a_card_without_results_says_that_it_is_not_scored(render, inside):
    assert render(results=None) == 0
    text = Path(CARD).read_text()
    assert "> **Not scored yet.**" in text
    assert f"{inside.training['best_validation']['auc']:.4f}, chose the epoch" in text
    assert not [said for said in ("Beside the paper", "model-index", "history_mean", "better than") if said in text]


def test_systems_are_told_apart_in_words(render):
    assert render(results=WITH_LANGUAGE_MODEL) == 0
    text = Path(CARD).read_text()
    for said in ("| **din** | this model |", "| sim | another CTR model |", "| zero_shot | a language model alone |"):
        assert said in text
    assert "| AUC - zero-shot |" in text
    assert "The last column is the difference of AUC to a language model that was not tuned" in text
    assert render() == 0
    assert "zero-shot" not in Path(CARD).read_text()


def test_only_the_same_setting_stands_beside_the_paper(inside):
    found = read_results(Path(RESULTS), run.facts(Path(RUN)).sha256, "model", Path(RUN)).comparisons[0]
    assert paper.paper_row("DIN", "ml1m", None, found)["auc"] == 0.7962
    assert paper.paper_row("DIN", "ml1m", 1024, found) is None
    assert paper.paper_row("DIN", "ml25m", None, found) is None
    found.own["record"]["limit"] = 5
    assert paper.paper_row("DIN", "ml1m", None, found) is None


def test_few_shots_are_said(render, command):
    assert command("training/ctr.py", "--config", f"{RUN}/recipe.yaml", "--num_shots", 20, "--output_dir", "few") == 0
    assert render(model="few", results=None) == 0
    assert "trained on the first 20 training samples of MovieLens-1M (few-shot)" in Path(CARD).read_text()


def test_the_code_of_the_card_scores_like_the_scorer(render, capsys):
    assert render(model="runs/ml1m/sim") == 0
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", Path(CARD).read_text(), re.DOTALL | re.MULTILINE)
    capsys.readouterr()
    exec(snippet, {})
    printed = re.findall(r"^sample (\d+): P\(Yes\) = ([\d.]+), label ([01])$", capsys.readouterr().out, re.MULTILINE)
    expected = read_scores(Path("runs/ml1m/scores/sim.parquet"))
    at = np.searchsorted(expected.sample_id, [int(sample) for sample, _, _ in printed])
    assert len(printed) == 5
    assert [float(score) for _, score, _ in printed] == pytest.approx(expected.score[at].tolist(), abs=1e-6)


def test_a_card_needs_no_torch(inside):
    """The whole of it: what decides the family, reads the run and writes the card."""
    code = (
        "import runpy, sys; sys.argv = ['render.py', '--run', sys.argv[1], '--results', sys.argv[2], '--output', 'quick.md']; "
        f"runpy.run_path({str(REPOSITORY / 'model_cards/render.py')!r}, run_name='__main__'); "
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, RUN, RESULTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path("quick.md").read_text().startswith("---\n")


@pytest.mark.parametrize("name", model_names())
def test_architectures_are_read_and_weights_counted_without_torch(name, tmp_path):
    found = architecture.read_architecture(name)
    model_class = load_model_class(name)
    assert (found.name, found.module) == (model_class.__name__, model_class.__module__)
    assert "Source: " in found.description
    assert found.description.startswith(inspect.getdoc(inspect.getmodule(model_class)))
    if name in encoder_names():
        assert found.description.endswith(inspect.getdoc(inspect.getmodule(load_encoder_class(name))))
    sizes = {"history_length": HISTORY_LENGTH} if name == "sasrec" else {}
    model = model_class(FIELD_SIZES, RATING_VALUES, **sizes)
    model.save_pretrained(tmp_path)
    counted = runs.count_weights(tmp_path / WEIGHTS, leave_out=run.PARTS.not_trained)
    assert counted == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: shutil.rmtree(RUN), "There is no run folder"),
        (lambda: Path(RUN, "recipe.yaml").unlink(), r"There is no .*recipe\.yaml.*training/ctr\.py"),
        (lambda: Path(RUN, "recipe.yaml").write_text("model: din\n"), r"recipe\.yaml lacks dataset"),
        (lambda: Path(RUN, "recipe.yaml").write_text("{"), r"recipe\.yaml cannot be read"),
        (lambda: Path(RUN, "training.json").write_text("{"), r"training\.json cannot be read"),
        (lambda: shutil.rmtree(f"{RUN}/model"), r"has no model/model\.safetensors, so it is not a whole run"),
        (lambda: Path(RUN, "model/model.safetensors").write_bytes(b"x" * 40), "not a whole safetensors file"),
        (lambda: Path(RUN, "model/config.json").unlink(), r"There is no .*config\.json"),
        (lambda: Path(RUN, "model/features.json").unlink(), r"There is no .*features\.json"),
        (lambda: Path(RUN, "model/vocabulary.parquet").unlink(), r"no readable vocabulary\.parquet"),
        (lambda: Path(RUN, "model/vocabulary.parquet").write_bytes(b"x"), r"no readable vocabulary\.parquet"),
        (lambda: change(f"{RUN}/training.json", weights=7), "tells of 7 trained ones"),
        (lambda: change(f"{RUN}/training.json", recipe={"seed": 5}), "says that seed is 5"),
        (lambda: change(f"{RUN}/model/features.json", history_length=9), "says that history_length is 9"),
        (lambda: change(f"{RUN}/model/config.json", rating_values=3), "has other values than config.json"),
        (lambda: change(f"{RUN}/training.json", inputs={"interactions": "x"}), "was built again since"),
        (lambda: shutil.rmtree(DATA), "neither a folder here nor to be had from the Hub"),
        (lambda: Path(RESULTS).unlink(), "There are no results"),
        (lambda: shutil.copy("runs/ml1m/sim/model/model.safetensors", f"{RUN}/model"), "not of the same run"),
    ],
)
def test_missing_or_damaged_input_is_an_error(render, capsys, spoil, message):
    spoil()
    assert render() == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert re.search(message, error), error
    assert not Path("card").exists()


def test_results_of_other_models_and_a_base_are_errors(render, command, capsys):
    report = ("--scores", "runs/ml1m/scores/sim.parquet", "--output", "other", "--resamples", 50)
    assert command("evaluation/report.py", *report) == 0
    assert render(results="other/results.json") == 2
    assert re.search(r"no row of the model .* Score the model with .*score\.py --model", capsys.readouterr().err)
    assert render("--base_model_id", "org/base") == 2
    assert "has no base model. Leave out --base_model_id" in capsys.readouterr().err


NASTY = "x # h <script>a</script> [l](javascript:b) ``` | {{ c }} $d$"  # one line: more are refused when the results are read


def test_names_and_notes_of_other_people_are_text_in_the_card(render):
    assert render("--hub_model_id", "org/x") == 0
    before = Path(CARD).read_text(encoding="utf-8")
    found = json.loads(Path(RESULTS).read_text())
    for row in found["rows"]:
        if "model_identity" not in row["record"]:
            row["name"] = row["system"] = f"{row['name']} {NASTY}"
        row["against"] = {f"{name} {NASTY}": paired for name, paired in row["against"].items()}
    where = {key: found["rows"][0][key] for key in ("corpus", "split", "config_name")}
    found["notes"].append(where | {"note": f"no rows for {NASTY}"})
    Path(RESULTS).write_text(json.dumps(found))
    dataset = f"rella/{NASTY.replace('/', ' ')}"
    Path("rella/ml1m").rename(dataset)
    recipe = Path(RUN, "recipe.yaml")
    values = yaml.safe_load(recipe.read_text()) | {"dataset": dataset}
    recipe.write_text(yaml.safe_dump(values) + "note: |\n  ```\n  # hidden\n")
    change(
        f"{RUN}/training.json",
        recipe=json.loads(Path(RUN, "training.json").read_text())["recipe"] | {"dataset": dataset},
    )
    assert render("--hub_model_id", "org/x") == 0
    card = Path(CARD).read_text(encoding="utf-8")
    check_filled(card, ())
    assert check_card(card, "model")[0] == []
    assert unseen(card) == set()
    body, plain_body = (text.partition("\n---\n")[2] for text in (card, before))
    assert active(body).count("heading_open") == active(plain_body).count("heading_open")
    assert rows_of(body) == rows_of(plain_body)
    for token in ("html_inline", "html_block", "link_open", "image", "fence"):
        assert active(body).count(token) == active(plain_body).count(token)
    (snippet,) = re.findall(r"^```python\n(.*?)^```$", card, re.DOTALL | re.MULTILINE)
    assert dataset in [node.value for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Constant)]
