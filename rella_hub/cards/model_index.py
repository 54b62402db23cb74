"""What the Hub reads of every card: results as `model-index` entries, and the licence where it is the corpus's."""

from __future__ import annotations

from typing import Any

from huggingface_hub import EvalResult

from rella_hub.cards.results import Comparison
from rella_hub.corpora import Corpus, load_corpus
from rella_hub.metrics import metrics
from rella_hub.texts.shown import plain

DIGITS = 4  # of every metric, in the table as in the YAML
TAGS = ["recommendation", "click-through-rate"]


def hub_metrics() -> list[str]:
    return [metric.hub_id for metric in metrics()]


def corpus_terms(corpus: Corpus, dataset: str | None) -> dict[str, Any]:
    """The keys of a card that put it under the corpus's own terms. dataset: its Hub id, None where it has none."""
    if corpus.licence != "other":
        return {"license": corpus.licence}
    link = f"https://huggingface.co/datasets/{dataset}#licence-and-terms" if dataset else None
    return {"license": "other", "license_name": f"{corpus.id}-terms", "license_link": link}


def eval_results(comparison: Comparison, dataset: str | None, task: str) -> list[EvalResult]:
    """task: a task of the Hub; dataset: the Hub id of what was scored on."""
    own = comparison.own
    revision = own["record"]["dataset_revision"]
    chosen = {} if own["record"]["limit"] is None else {"seed": own["record"]["seed"]}
    return [
        EvalResult(
            task_type=task,
            task_name="Click-through-rate prediction",
            dataset_type=dataset or comparison.corpus,
            dataset_name=load_corpus(comparison.corpus).name,
            dataset_config=plain(comparison.config_name),
            dataset_split=plain(comparison.split),
            dataset_revision=None if revision is None else plain(revision),
            dataset_args={"samples": own["n"], **chosen},
            metric_type=metric.hub_id,
            metric_name=metric.title,
            metric_value=round(own[metric.name]["value"], DIGITS),
        )
        for metric in metrics()
        if own.get(metric.name)
    ]
