"""What the card of an adapter calls it, its base model and its data set: Hub ids where there are any, else folders of this machine."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cards.names import dataset_on_hub, is_in_folder
from rella_hub.systems.adapter.facts import Run


@dataclass(frozen=True)
class Names:
    base: str
    adapter: str
    dataset: str  # that was scored
    base_on_hub: str | None
    dataset_on_hub: str | None  # that was trained on
    base_commit: str | None

    def local(self, adapter_on_hub: str | None) -> list[str]:
        """The options that would name a thing by its Hub id, for each one that is a folder."""
        given = {
            "base_model_id": self.base_on_hub,
            "dataset_id": self.dataset_on_hub,
            "hub_model_id": adapter_on_hub,
        }
        return [f"--{option}" for option, name in given.items() if name is None]


def names_of(options, run: Run, record: dict, corpus: str) -> Names:
    """options: with hub_model_id, base_model_id and dataset_id. record: of the scores. corpus: that was trained on."""
    revision = record["base_identity"]["revision"]
    in_folder = is_in_folder(record["base_identity"])
    on_hub = options.base_model_id or (None if in_folder else record["base"])
    pinned = options.base_model_id is None and not in_folder and revision != "unknown"
    trained_on = run.recipe["dataset"]
    return Names(
        base=on_hub or record["base"],
        adapter=options.hub_model_id or run.adapter.as_posix(),
        dataset=dataset_on_hub(record["dataset"], record["corpus"], options.dataset_id, trained_on)
        or record["dataset"],
        base_on_hub=on_hub,
        dataset_on_hub=dataset_on_hub(trained_on, corpus, options.dataset_id, trained_on),
        base_commit=revision if pinned else None,
    )
