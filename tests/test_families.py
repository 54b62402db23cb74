"""A family of systems is one folder: a tiny one in a temporary folder goes from training to the Hub, and no other file knows it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ctr_release import DATA, RUN
from hub_server import HubServer
from huggingface_hub import ModelCard

from rella_hub import systems
from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
MODEL_ID = "rella/ml1m-constant"

FAMILY = {
    "__init__.py": '"""The same score for everybody."""\n',
    "options.py": '''
        """Options of the constant family."""

        from dataclasses import dataclass
        from pathlib import Path

        from rella_hub.cli.options import option
        from rella_hub.tables import runs

        RESULT, RUN, MARK = "constant", "constant run", "constant.json"


        def holds(folder: Path) -> bool:
            return runs.is_of(folder, RUN, RESULT, MARK)


        @dataclass(frozen=True)
        class ScoreOptions:
            shift: float = option("Added to the score.", 0.0)


        @dataclass(frozen=True)
        class Options:
            dataset: str = option("Data set.", pins=False)
            output_dir: str = option("The run folder.", pins=False)
            prior: float = option("Weight of a half.", 1.0)
            dataset_revision: str | None = option("Revision of the data set.", None, pins=False)
    ''',
    "train.py": '''
        """Count the labels of the train split."""

        import json
        from pathlib import Path

        import numpy as np
        import yaml
        from safetensors.numpy import save_file

        from rella_hub.cli.options import pinning, recipe
        from rella_hub.files import ownership
        from rella_hub.hub.resolve import resolve
        from rella_hub.systems.constant.options import MARK, RESULT, RUN, Options
        from rella_hub.tables import records, store
        from rella_hub.tables.runs import RECIPE, RECORD


        def train(options: Options) -> None:
            output, folder = Path(options.output_dir), resolve(options.dataset, ["samples"], options.dataset_revision)
            record = {"inputs": records.input_fingerprints(folder, ["samples"]), "recipe": pinning(options)}
            if records.is_current(output, records.read_record(output / RECORD), record, False, "--output_dir"):
                return
            labels = store.read(folder, "samples", "train", ["label"])["label"].to_numpy()
            mean = (labels.sum() + options.prior / 2) / (len(labels) + options.prior)
            with ownership.writing_folder(output, RUN) as temporary:
                (temporary / RESULT).mkdir()
                save_file({"mean": np.array([mean])}, temporary / RESULT / "model.safetensors")
                (temporary / RESULT / MARK).write_text(json.dumps({"samples": len(labels)}))
                (temporary / RECIPE).write_text(yaml.safe_dump(recipe(options, ("dataset", "dataset_revision"))))
                (temporary / RECORD).write_text(json.dumps(record))
    ''',
    "score.py": '''
        """The mean, for every sample."""

        from pathlib import Path

        import numpy as np
        from safetensors.numpy import load_file

        from rella_hub.files.hashes import hash_file
        from rella_hub.hub.models import local_folder
        from rella_hub.systems.constant.options import RESULT, ScoreOptions
        from rella_hub.tables import runs


        class Constant:
            family, tables, training_samples, columns = "constant", (), None, ()

            def __init__(self, name: str, revision: str | None, options: ScoreOptions):
                folder = Path(name) / RESULT if (Path(name) / RESULT).is_dir() else local_folder(name, revision)
                self._file, self._shift = folder / "model.safetensors", options.shift
                self.name = runs.public_name(name).rpartition("/")[2]
                identity = {"name": runs.public_name(name), "sha256": hash_file(self._file), "shift": options.shift}
                self.identity = {"model": runs.public_name(name), "model_identity": identity, "libraries": {}}

            def scores(self, rows) -> np.ndarray:
                return np.full(len(rows), load_file(self._file)["mean"][0] + self._shift)


        def load(name: str | None, revision: str | None, options: ScoreOptions) -> Constant:
            return Constant(name, revision, options)
    ''',
    "facts.py": '''
        """What the card of a constant says."""

        from pathlib import Path

        from rella_hub.cards.facts import Facts, OnHub, Planned, read_training_data
        from rella_hub.files.hashes import hash_file
        from rella_hub.systems.constant.options import MARK, RESULT, Options
        from rella_hub.tables.runs import RECIPE, RECORD, count_weights, mapping, text_of

        COMMAND = "python training/train.py --family constant"


        def planned(options: Options) -> Planned:
            return Planned("model", options.dataset, options.dataset_revision)


        def facts(folder: Path) -> Facts:
            recipe, weights = mapping(folder / RECIPE, ("dataset",), COMMAND), folder / RESULT / "model.safetensors"
            data = read_training_data(recipe)
            return Facts(
                noun="model",
                command=COMMAND,
                folder=folder,
                result=folder / RESULT,
                weights_file=weights.name,
                sha256=hash_file(weights),
                weights=count_weights(weights),
                recipe=recipe,
                recipe_text=text_of(folder / RECIPE, COMMAND),
                training=mapping(folder / RECORD, ("inputs", "recipe"), COMMAND),
                data=data,
                config_name="subr_k3",
                about=f"The mean of {data.corpus.id}",
                on_hub=OnHub("rella", "tabular-classification", "tabular-classification", ("constant",)),
                template=Path(__file__).with_name("card.md.jinja"),
                words=lambda card: {"samples": mapping(folder / RESULT / MARK, ("samples",), COMMAND)["samples"]},
                files=(MARK,),
            )
    ''',
    "card.md.jinja": """
        ---
        {{ metadata }}
        ---

        # {{ title | name }}

        The mean of {{ samples | count }} labels, in {{ run.weights }} weight.
        {% if main %}
        {{ main | sentence }}
        {% include "shared/comparisons.md.jinja" %}
        {% else %}
        **Not scored yet.**
        {% endif %}
    """,
}


@pytest.fixture
def constant(tmp_path, monkeypatch, ctr_release):
    """The family beside the others, and the tiny data set as a folder below the current one."""
    from textwrap import dedent

    folder = tmp_path / "families/constant"
    folder.mkdir(parents=True)
    for name, text in FAMILY.items():
        (folder / name).write_text(dedent(text).lstrip("\n"))
    monkeypatch.setattr(systems, "__path__", [*systems.__path__, str(folder.parent)])
    shutil.copytree(ctr_release.folder / DATA, tmp_path / "machine" / DATA)
    shutil.copytree(ctr_release.folder / RUN, tmp_path / "machine" / RUN)
    monkeypatch.chdir(tmp_path / "machine")
    yield "runs/constant"
    for name in [name for name in sys.modules if name.startswith("rella_hub.systems.constant")]:
        del sys.modules[name]
    vars(systems).pop("constant", None)


@pytest.fixture
def hub(monkeypatch):
    with HubServer() as server:
        server.use(monkeypatch)
        yield server


def test_a_folder_is_a_family(constant, command, capsys):
    assert "constant" in systems.families()
    train = ("training/train.py", "--family", "constant", "--dataset", DATA, "--output_dir", constant)
    assert command(*train) == 0
    assert systems.family_of(constant) == systems.family_of(f"{constant}/constant") == "constant"
    assert systems.family_of(RUN) == "ctr"
    capsys.readouterr()
    assert command(*train) == 0
    assert "unchanged inputs, kept." in capsys.readouterr().out
    assert command(*train, "--prior", 3) == 2
    assert "its recipe.prior is 1.0, asked for is 3.0" in capsys.readouterr().err
    assert command("model_cards/render.py", "--run", constant) == 0
    assert "**Not scored yet.**" in Path(constant, "constant/README.md").read_text()
    assert command("model_cards/render.py", "--run", constant, "--base_model_id", "a/b") == 2
    assert "holds a model that has no base model. Leave out --base_model_id." in capsys.readouterr().err


def test_a_family_goes_from_training_to_the_hub(constant, command, hub, capsys):
    to_hub = ("--push_to_hub", "--hub_model_id", MODEL_ID)
    train = ("training/train.py", "--family", "constant", "--dataset", DATA, "--output_dir", constant)
    assert command(*train, *to_hub) == 0
    files = hub.repositories["model", MODEL_ID].files()
    own = {"model.safetensors", "constant.json", "recipe.yaml", "training.json", "README.md", ".gitattributes"}
    assert files.keys() == own
    data = ("--dataset", DATA, "--config_name", "subr_k3")
    assert command("evaluation/score.py", "--model", constant, *data, "--output", "here.parquet") == 0
    assert command("evaluation/score.py", "--model", MODEL_ID, *data, "--output", "pulled.parquet") == 0
    here, pulled = read_scores(Path("here.parquet")), read_scores(Path("pulled.parquet"))
    assert (here.score == pulled.score).all()
    assert (here.record["system"], pulled.record["system"]) == ("constant", "ml1m-constant")
    assert command("evaluation/score.py", "--model", RUN, *data, "--output", "din.parquet") == 0
    files = ("here.parquet", "din.parquet")
    assert command("evaluation/report.py", "--scores", *files, "--output", "report", "--resamples", 50) == 0
    push = ("model_cards/push.py", "--run", constant, "--hub_model_id", MODEL_ID, "--results", "report/results.json")
    assert command(*push, "--scores", "here.parquet", "--permission", "GroupLens, by letter") == 0
    files = hub.repositories["model", MODEL_ID].files()
    assert files.keys() == own | {"results.json", "report.png", "scores/here.parquet"}
    card = ModelCard(files["README.md"].decode())
    assert (card.data.library_name, card.data.datasets, card.data.license) == ("rella", [DATA], "other")
    assert {one.metric_type for one in card.data.eval_results} >= {"roc_auc", "log_loss", "accuracy"}
    assert json.loads(files["results.json"])["rows"][0]["record"]["dataset_folder"] is None
    capsys.readouterr()
    assert command(*train, *to_hub) == 0
    assert "holds this model with its results, kept." in capsys.readouterr().out


def test_a_folder_of_no_family_and_one_of_two_are_errors(constant, tmp_path):
    with pytest.raises(ValueError, match=r"is no trained system.*adapter, .*constant"):
        systems.family_of(tmp_path)
    for name in ("features.json", "constant.json"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"holds systems of 2 families \(constant, ctr\)"):
        systems.family_of(tmp_path)
    with pytest.raises(ValueError, match="There is no family of systems 'nothing'"):
        systems.part("nothing", "options")


def test_no_command_report_or_card_names_a_family():
    families = systems.families()
    places = [
        REPOSITORY / "evaluation",
        REPOSITORY / "model_cards",
        *(REPOSITORY / "rella_hub" / one for one in ("cards", "reports")),
    ]
    for path in (path for place in places for path in place.rglob("*.py")):
        for family in families:
            assert f"systems.{family}" not in path.read_text(), f"{path} knows the family {family}"


def test_options_and_facts_of_every_family_are_quick():
    code = "import sys; from rella_hub import systems\n"
    code += "for f in systems.families():\n    systems.part(f, 'options'); systems.part(f, 'facts')\n"
    code += "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0
