"""The YAML at the head of a card: what the Hub reads, its `model-index` of results among it."""

from __future__ import annotations

from huggingface_hub import EvalResult, ModelCardData

from dataset_builders.corpora import Corpus, load_corpus
from model_cards.adapter.results import Comparison

METRICS = {  # ours: id on the Hub, as printed
    "auc": ("roc_auc", "AUC"),
    "log_loss": ("log_loss", "LogLoss"),
    "accuracy": ("accuracy", "ACC"),
}
DIGITS = 4  # of every metric, in the table as in the YAML


def card_metadata(
    name: str,
    base: str | None,
    dataset: str | None,
    corpus: Corpus,
    licence: dict[str, str],
    scored: list[tuple[Comparison, str | None]],
) -> str:
    """The YAML between the two `---`.

    base, dataset: Hub ids, None where there is none. licence: the keys of a card that say it, none of which takes the corpus's.
    scored: each comparison with the Hub id of the data set it was scored on; none where there are no scores yet.
    """
    return ModelCardData(
        model_name=name if scored else None,  # of its `model-index`
        language=["en"],
        **(licence or _corpus_terms(corpus, dataset)),
        library_name="peft",
        pipeline_tag="text-generation",  # what the weights do; the task they are scored on stands in model-index
        base_model=base,
        base_model_relation="adapter" if base else None,
        datasets=[dataset] if dataset else None,
        metrics=[hub_name for hub_name, _ in METRICS.values()] if scored else None,
        tags=["recommendation", "click-through-rate", "lora", "rella", "arxiv:2308.11131"],
        eval_results=[result for comparison, on in scored for result in _results(comparison, on)] or None,
    ).to_yaml()


def _corpus_terms(corpus: Corpus, dataset: str | None) -> dict:
    if corpus.licence != "other":
        return {"license": corpus.licence}
    link = f"https://huggingface.co/datasets/{dataset}#licence-and-terms" if dataset else None
    return {"license": "other", "license_name": f"{corpus.id}-terms", "license_link": link}


def _results(comparison: Comparison, dataset: str | None) -> list[EvalResult]:
    own = comparison.own
    chosen = {} if own["record"]["limit"] is None else {"seed": own["record"]["seed"]}
    return [
        EvalResult(
            task_type="text-classification",
            task_name="Click-through-rate prediction",
            dataset_type=dataset or comparison.corpus,
            dataset_name=load_corpus(comparison.corpus).name,
            dataset_config=comparison.config_name,
            dataset_split=comparison.split,
            dataset_revision=own["record"]["dataset_revision"],
            dataset_args={"samples": own["n"], **chosen},
            metric_type=hub_name,
            metric_name=printed,
            metric_value=round(own[metric]["value"], DIGITS),
        )
        for metric, (hub_name, printed) in METRICS.items()
    ]
