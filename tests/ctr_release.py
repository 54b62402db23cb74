"""A tiny data set with trained, scored CTR models in one folder, by relative names, as the tests of their cards and pushes need it."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from builders import write_vectors

from rella_hub.stages.arguments import FolderArguments, PromptArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.prompt import build_prompts
from rella_hub.stages.view import build_views
from rella_hub.tables import store
from rella_hub.tables.scores import read_scores, write_scores

MODELS = ("din", "sim")
DATA, RUN, SCORES = "rella/ml1m", "runs/ml1m/din", "runs/ml1m/scores/din.parquet"
RESULTS, WITH_LANGUAGE_MODEL = "runs/ml1m/report/results.json", "runs/ml1m/with_lm/results.json"
SMALL = ("--history_length", 3, "--batch_size", 16, "--num_train_epochs", 2)
OPTIONS = (*SMALL, "--model_options", '{"embedding_size": 8}')


@dataclass(frozen=True)
class CtrRelease:
    folder: Path  # everything lies below

    @property
    def training(self) -> dict:
        return json.loads((self.folder / RUN / "training.json").read_text())

    @property
    def rows(self) -> list[dict]:
        return json.loads((self.folder / RESULTS).read_text())["rows"]


def training(model: str, output: str) -> tuple:
    retrieving = ("--retrieved", 3) if model == "sim" else ()
    return ("training/ctr.py", "--model", model, "--dataset", DATA, "--output_dir", output, *OPTIONS, *retrieving)


def scoring(model: str, output: str) -> tuple:
    places = ("--dataset", DATA, "--config_name", "subr_k3", "--output", output)
    return ("evaluation/score.py", "--model", model, *places)


def make_release(folder: Path, raw: Path, command) -> CtrRelease:
    """Data set, runs, scores and two reports, the second with a language model beside them."""
    with contextlib.chdir(folder):
        where, views = FolderArguments(corpus="ml1m"), ViewArguments(view=["recency", "subr"], history_length=[3])
        prepare(where, RawArguments(raw=str(raw)))
        write_vectors(where)
        build_views(where, views)
        build_prompts(where, views, PromptArguments())
        files = [f"runs/ml1m/scores/{model}.parquet" for model in MODELS]
        for model, file in zip(MODELS, files, strict=True):
            assert command(*training(model, f"runs/ml1m/{model}")) == 0
            assert command(*scoring(f"runs/ml1m/{model}", file)) == 0
        write_language_model_scores("runs/ml1m/scores/zero_shot.parquet")
        for results, more in ((RESULTS, []), (WITH_LANGUAGE_MODEL, ["runs/ml1m/scores/zero_shot.parquet"])):
            output = Path(results).parent
            assert (
                command("evaluation/report.py", "--scores", *files, *more, "--output", output, "--resamples", 50) == 0
            )
    return CtrRelease(folder)


def write_language_model_scores(path: str) -> None:
    """Scores as a base model alone would have them, on the samples of DIN's."""
    ctr = read_scores(Path(SCORES))
    record = {
        key: value for key, value in ctr.record.items() if key not in ("model", "model_identity", "model_revision")
    }
    base = {"base": "org/base", "base_identity": {"name": "org/base", "revision": "0123abcd"}, "system": "zero_shot"}
    prompts = store.provenance(Path(DATA), "subr_k3")["fingerprint"]
    score = np.linspace(0.3, 0.7, len(ctr.label))
    write_scores(
        Path(path), ctr.sample_id, ctr.user_id, ctr.label, score, record | base | {"prompts_fingerprint": prompts}
    )
