"""What the card and the push of a P5 need to know of its run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rella_hub.cards.facts import Facts, OnHub, Planned
from rella_hub.cards.publishing.terms import Part
from rella_hub.systems.seq2seq import card
from rella_hub.systems.seq2seq.options import MARK, RESULT, Options
from rella_hub.systems.vocabulary import FILE as VOCABULARY
from rella_hub.systems.vocabulary import load_values
from rella_hub.systems.whole_run import CONFIG, WEIGHTS, Parts, read_whole_run

HOLDS = f"{VOCABULARY} lists ids"  # without which the numbers of users and items mean nothing
PARTS = Parts(
    command="python training/seq2seq.py",
    result=RESULT,
    mark=MARK,
    recipe_keys=(
        *("dataset", "dataset_revision", "t5", "history_in_text", "num_shots", "num_validation", "batch_size"),
        *("num_train_epochs", "metric_for_best_model", "seed"),
    ),
    training_keys=(
        *("corpus", "inputs", "recipe", "t5", "texts", "weights", "training_samples", "validation_samples"),
        *("seconds", "peak_memory_bytes", "best_epoch", "best_validation", "log"),
    ),
    mark_keys=("corpus", "history_length", "max_length", "truncation", "num_shots", "pretrained_on"),
    otherwise=frozenset({"t5", "history_length"}),  # its public name; 0 where there is none
)


def planned(options: Options) -> Planned:
    return Planned("model", options.dataset, options.dataset_revision, holds=HOLDS)


def facts(folder: Path) -> Facts:
    """ValueError when a file is missing or damaged, or when the parts do not belong together."""
    run = read_whole_run(folder, PARTS)
    mark, shots = run.mark, "full-shot" if run.shots is None else f"{run.shots:,}-shot"
    return run.facts(
        config_name=f"recency_k{mark['history_length'] or 30}",  # its samples are those of any view; it shows the latest behaviors
        about=f"P5 of {run.data.corpus.id}, {shots}",
        on_hub=OnHub("rella", "text2text-generation", "tabular-classification", ("ctr", "t5", "p5")),
        template=card.TEMPLATE,
        words=partial(card.words, mark, load_values(run.result)),
        files=tuple(sorted(name for name in run.training.get("sha256", {}) if name != WEIGHTS))
        or (CONFIG, MARK, VOCABULARY),
        holds=HOLDS,
        parts=partial(_parts, mark),
    )


def _parts(mark: dict) -> list[Part]:
    """The text of the corpus that the T5 was made from, which may be another one than that of the samples."""
    corpus = mark["pretrained_on"]
    return [Part("The tokenizer and the weights hold words", None, corpus)] if corpus else []
