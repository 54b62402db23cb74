"""The options of a push: what is published, and under which names and terms."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option


@dataclass(frozen=True)
class PushArguments:
    run: str = option("Run folder: the --output_dir of a training. Nothing in it is changed.")
    hub_model_id: str = option("Hub id of what was trained, such as rella/ml1m-rella-vicuna-13b.")
    results: str | None = option(
        "results.json of evaluation/report.py, with a row of this model. Default: none, and the card says that there are "
        "no scores yet.",
        None,
    )
    scores: list[str] = option(
        "Score files of this model, and of an adapter's base alone, published under scores/.", []
    )
    private: bool = option(
        "Push to a private repository. So is a CTR model's where the corpus's terms forbid more: it lists their values.",
        False,
    )
    dry_run: bool = option("Print what would change on the Hub, and send nothing.", False)


@dataclass(frozen=True)
class PublishingArguments:
    dataset_id: str | None = option("Hub id of the data set, where it was read from a folder.", None)
    license: str | None = option(
        "Licence (Hub identifier). Default: of an adapter what its base model's card on the Hub states, of a CTR model the "
        "corpus's terms.",
        None,
    )
    permission: str | None = option(
        "Your statement that the corpus's publisher permits you to redistribute, such as who permitted it and when; it is "
        "printed on the card. Needed to publish values or labels of a corpus publicly whose terms forbid that.",
        None,
    )
    revision_tag: str | None = option("Tag for what is published, such as v1.0. It never moves.", None)
    collection: str | None = option("Title of a collection of the namespace that takes the model, such as ReLLa.", None)


@dataclass(frozen=True)
class AdapterPublishingArguments(PublishingArguments):
    base_model_id: str | None = option(
        "Hub id of an adapter's base model, where it was trained and scored from a folder.", None
    )


@dataclass(frozen=True)
class HubArguments:
    """Hub options, named as in `transformers.TrainingArguments`. They do not affect the weights, so they are not in the recipe."""

    push_to_hub: bool = option("Publish the finished model on the Hub, as model_cards/push.py does.", False)
    hub_model_id: str | None = option("Hub id of what was trained, such as rella/ml1m-din.", None)
    hub_private_repo: bool = option("Publish it in a private repository.", False)

    def __post_init__(self):
        if self.push_to_hub and self.hub_model_id is None:
            raise ValueError("--push_to_hub needs to know where: pass --hub_model_id owner/name.")
