"""What the card and the push of a CTR-BERT or PTab need to know of its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned
from rella_hub.systems.encoder import card
from rella_hub.systems.encoder.options import MARK, MODELS, RESULT, Options
from rella_hub.systems.whole_run import CONFIG, WEIGHTS, Parts, read_whole_run

PARTS = Parts(
    command="python training/encoder.py",
    result=RESULT,
    mark=MARK,
    recipe_keys=(
        *("model", "dataset", "dataset_revision", "encoder", "history_in_text", "num_shots", "num_validation"),
        *("num_train_epochs", "metric_for_best_model", "seed"),
    ),
    training_keys=(
        *("corpus", "inputs", "recipe", "encoder", "texts", "weights", "training_samples", "validation_samples"),
        *("seconds", "peak_memory_bytes", "best_epoch", "best_validation", "log"),
    ),
    mark_keys=("model", "corpus", "ids_in_text", "history_length", "max_length", "truncation", "num_shots"),
    otherwise=frozenset({"encoder", "history_length"}),  # its public name; 0 where there is none
)


def planned(options: Options) -> Planned:
    return Planned("model", options.dataset, options.dataset_revision)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    run = read_whole_run(folder, PARTS)
    text, shots = run.mark, "full-shot" if run.shots is None else f"{run.shots:,}-shot"
    return run.facts(
        config_name=f"subr_k{text['history_length'] or 30}",  # its samples are those of any view; it reads none
        about=f"{MODELS[text['model']]} of {run.data.corpus.id}, {shots}",
        on_hub=OnHub("rella", "tabular-classification", "tabular-classification", ("ctr", text["model"])),
        template=card.TEMPLATE,
        words=partial(card.words, text),
        files=tuple(sorted(name for name in run.training.get("sha256", {}) if name != WEIGHTS)) or (CONFIG, MARK),
    )
