"""Under which names and which licence a model is published: names that everybody can resolve, and of an adapter the licence of its base."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, ModelInfo
from huggingface_hub.errors import RepositoryNotFoundError

from rella_hub.cards.names import IN_FOLDER, dataset_on_hub, require_hub_id
from rella_hub.cards.publishing.arguments import PublishingArguments
from rella_hub.hub.access import explained
from rella_hub.hub.retry import retrying

LICENCES = "https://huggingface.co/docs/hub/repositories-licenses"


@dataclass(frozen=True)
class Identity:
    """Hub ids."""

    model: str
    dataset: str  # that was trained on
    base: str | None = None  # that was trained on top of


def identify(
    model: str,
    dataset: str,
    corpus: str | None,
    options: PublishingArguments,
    base: str | None = None,
    base_in_folder: bool = False,
) -> Identity:
    """ValueError naming every option that is missing where something is a folder of this machine."""
    base_given = getattr(options, "base_model_id", None)
    for option, name in (("hub_model_id", model), ("base_model_id", base_given), ("dataset_id", options.dataset_id)):
        require_hub_id(option, name)
    on_hub = dataset_on_hub(dataset, corpus, options.dataset_id, dataset)
    base_on_hub = base and (base_given or (None if base_in_folder else base))
    wanted = {"base_model_id": (f"the base model {base}", base_on_hub)} if base else {}
    _require_names(model, wanted | {"dataset_id": (f"the data set {dataset}", on_hub)})
    assert on_hub is not None  # or it would be missing
    return Identity(model, on_hub, base_on_hub)


def _require_names(model: str, found: dict[str, tuple[str, str | None]]) -> None:
    """found: option -> what it names, in words, and the Hub id that it has, if any."""
    missing = {option: words for option, (words, name) in found.items() if name is None}
    if missing:
        raise ValueError(
            f"{model} cannot be published: {' and '.join(missing.values())} {'is a folder' if len(missing) == 1 else 'are folders'} of "
            f"this machine, which nobody else has. Say what they are called on the Hub: "
            f"{' '.join(f'--{option} owner/name' for option in missing)}."
        )


def look_up(api: HfApi, base: str) -> ModelInfo | None:
    """What the Hub knows of a base model, None where it has none of that name, which is said."""
    with explained(base, "be looked up"):
        try:
            return retrying(base, lambda: api.model_info(base, files_metadata=True))
        except RepositoryNotFoundError:
            print(
                f"WARNING: {base} is not on the Hub, or not for this token. The adapter loads on nothing until it is.",
                file=sys.stderr,
            )
    return None


def weights_of(base: dict) -> str:
    """The hash of a base model's weights, else the name and revision that stand for them."""
    hashed = base["revision"] if base["revision"].startswith(IN_FOLDER) else None
    return base.get("weights") or hashed or f"{base['name']}@{base['revision']}"


def require_same_weights(base: str, found: ModelInfo | None, trained_on: dict) -> None:
    """ValueError when the base on the Hub, to be named instead of a folder, has other weights than that folder had."""
    files = sorted((found.siblings if found else None) or [], key=lambda file: file.rfilename)
    weights = [file for file in files if Path(file.rfilename).match("*.safetensors") and "/" not in file.rfilename]
    expected = weights_of(trained_on)
    hashes = [file.lfs.sha256[:16] for file in weights if file.lfs]
    known = expected.startswith(IN_FOLDER) and weights and len(hashes) == len(weights)
    if not known or base == trained_on["name"]:
        return
    there = IN_FOLDER + "+".join(hashes)
    if there != expected:
        raise ValueError(
            f"{base} on the Hub has other weights ({there}) than the base that the adapter was trained on ({expected}), and an adapter "
            "fits no other. Give the --base_model_id of the one it was trained on, or push that folder to the Hub."
        )


def licence_of(given: str | None, base: str, found: ModelInfo | None) -> dict[str, str]:
    """The keys of a card that state the licence: the one given, else that of the base. ValueError when neither is known."""
    stated = _stated(base, found)
    if given and given != stated.get("license"):
        if stated:
            print(
                f"WARNING: {base} is under the licence {stated['license']}, and its adapters usually are; published as {given}.",
                file=sys.stderr,
            )
        stated = {"license": given}
    if not stated:
        raise ValueError(
            f"The licence is not known: an adapter is under that of its base model, and the Hub states none for {base}. Pass --license "
            f"with its identifier, such as llama2 or apache-2.0 ({LICENCES})."
        )
    _require_name(stated, f"the card of {base} on the Hub gives it none")
    return stated


def licence_given(given: str | None) -> dict[str, str]:
    """The keys of a CTR model's card that state the licence given; none where the corpus's terms are to hold."""
    stated = {"license": given} if given else {}
    _require_name(stated, "--license gives it none")
    return stated


def _require_name(stated: dict[str, str], why: str) -> None:
    if stated.get("license") == "other" and "license_name" not in stated:
        raise ValueError(
            f"The licence 'other' says nothing without a name, and {why}. Pass --license with an identifier ({LICENCES})."
        )


def _stated(base: str, found: ModelInfo | None) -> dict[str, str]:
    card = found.card_data.to_dict() if found and found.card_data else {}
    stated = {key: card[key] for key in ("license", "license_name", "license_link") if isinstance(card.get(key), str)}
    if "license" not in stated:
        return {}
    link = stated.get("license_link")
    if link and "://" not in link:  # a file beside the base
        stated["license_link"] = f"https://huggingface.co/{base}/blob/main/{link}"
    return stated
