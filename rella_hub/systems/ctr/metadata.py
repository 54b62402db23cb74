"""The YAML at the head of a CTR model's card: what the Hub reads, its `model-index` of results among it."""

from __future__ import annotations

from huggingface_hub import ModelCardData

from rella_hub.cards.model_index import TAGS, corpus_terms, eval_results, hub_metrics
from rella_hub.cards.results import Comparison
from rella_hub.corpora import Corpus

NEEDED = ("license", "datasets", "library_name", "pipeline_tag", "tags")
TASK = "tabular-classification"
MIXIN = ("model_hub_mixin", "pytorch_model_hub_mixin")  # the tags of PyTorchModelHubMixin, which loads the weights


def card_metadata(
    name: str,
    architecture: str,
    dataset: str | None,
    corpus: Corpus,
    licence: dict[str, str],
    scored: list[tuple[Comparison, str | None]],
) -> str:
    """The YAML between the two `---`.

    architecture: the name of its file; dataset: a Hub id, None where there is none. licence: the keys of a card that say it, none of
    which takes the corpus's. scored: each comparison with the Hub id of the data set it was scored on; none where there are no scores.
    """
    return ModelCardData(
        model_name=name if scored else None,  # of its `model-index`
        language=["en"],
        **(licence or corpus_terms(corpus, dataset)),
        library_name="rella",
        pipeline_tag=TASK,
        datasets=[dataset] if dataset else None,
        metrics=hub_metrics() if scored else None,
        tags=[*TAGS, "ctr", architecture, *MIXIN, "arxiv:2308.11131"],
        eval_results=[one for comparison, on in scored for one in eval_results(comparison, on, TASK)] or None,
    ).to_yaml()
