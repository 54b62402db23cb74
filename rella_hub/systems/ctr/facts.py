"""What the card and the push of a CTR model need to know of its run folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned
from rella_hub.systems.ctr import card
from rella_hub.systems.ctr.options import MARK, RESULT, Options
from rella_hub.systems.vocabulary import FILE as VOCABULARY
from rella_hub.systems.vocabulary import load_values
from rella_hub.systems.whole_run import CONFIG, Parts, read_whole_run
from rella_hub.tables.runs import mapping

HOLDS = f"{VOCABULARY} lists values"  # without which the codes mean nothing
# The tags of PyTorchModelHubMixin, which loads the weights.
MIXIN = ("model_hub_mixin", "pytorch_model_hub_mixin")
PARTS = Parts(
    command="python training/ctr.py",
    result=RESULT,
    mark=MARK,
    recipe_keys=(
        *("model", "dataset", "dataset_revision", "history_length", "search", "retrieved", "num_shots"),
        *("num_train_epochs", "early_stopping_patience", "metric_for_best_model", "seed"),
    ),
    training_keys=(
        *("corpus", "inputs", "recipe", "weights", "training_samples"),
        *("seconds", "best_epoch", "best_validation", "log"),
    ),
    mark_keys=("model", "corpus", "history_length", "search", "retrieved", "num_shots"),
    otherwise=frozenset({"search"}),  # null in a model that does not retrieve
    not_trained=("running_mean", "running_var"),  # what Dice keeps of the batches that it has seen
)


def planned(options: Options) -> Planned:
    return Planned("model", options.dataset, options.dataset_revision, holds=HOLDS)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    run = read_whole_run(folder, PARTS)
    features, values = run.mark, load_values(run.result)
    _require_room(run.result, values)
    by_view = features["search"] not in (None, "category")
    searched = f"view_{features['search']}_k{features['retrieved']}" if by_view else None
    shots = "full-shot" if run.shots is None else f"{run.shots}-shot"
    return run.facts(
        data=run.data if searched else replace(run.data, encoder=None),
        config_name=f"subr_k{features['history_length']}",  # its samples are those of any view; the language model is shown this one
        about=f"{features['model']} of {run.data.corpus.id}, {shots}",
        on_hub=OnHub(
            *("rella", "tabular-classification", "tabular-classification"), ("ctr", features["model"], *MIXIN)
        ),
        template=card.TEMPLATE,
        words=partial(card.words, features, values, searched),
        files=(CONFIG, MARK, VOCABULARY),
        holds=HOLDS,
    )


def _require_room(result: Path, values) -> None:
    """ValueError when the vocabulary has other values than the model has codes."""
    config = mapping(result / CONFIG, ("field_sizes", "rating_values"), PARTS.command)
    if (values.field_sizes, values.rating_values) != (config["field_sizes"], config["rating_values"]):
        raise ValueError(
            f"{result}: {VOCABULARY} has other values than {CONFIG} makes room for: they are not of the same run. Train again."
        )
