"""An adapter's weights put on a model through PEFT, every one of them in its place or none."""

from __future__ import annotations

from collections.abc import Mapping, Set
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, PeftType, get_peft_model_state_dict
from safetensors import safe_open

from rella_hub.hub.model_configs import bounded_parameters
from rella_hub.hub.model_folders import Stored
from rella_hub.language_models.adapter_config import QUANTIZED, resolve_patterns
from rella_hub.tables.checked import shown
from rella_hub.texts.shown import first_line

PREFIX = "base_model.model."  # of every weight in an adapter's file
ROOM = 4  # parameters that PEFT may register for each one stored: it keeps copies of modules, and shares some
SLACK = 10_000_000


def attach(
    model: torch.nn.Module,
    adapter: str,
    weights: Path,
    config: PeftConfig,
    stored: Mapping[str, Stored],
    name: str,
    shared: bool,
) -> PeftModel:
    """`model` with the adapter of that configuration beside what it has, its weights read from the file.

    stored: the tensors of the file. shared: whether other systems use the same base. ValueError when it does not fit, or does not load
    whole. Weights of the base itself that the file holds too (saved embeddings) take the place of the base's, unless it is shared.
    """
    kind = PeftType(config.peft_type).value
    if kind not in QUANTIZED and getattr(model, "is_quantized", False):
        raise ValueError(
            f"The adapter {adapter!r} is of type {kind}, which is not scored on a quantized base. Pass --quantization none."
        )
    alone = not isinstance(model, PeftModel)
    own = _of_the_base(model, stored)
    _require_vocabulary(adapter, own, stored)
    changed = _changed(own, weights)
    try:
        tuned = _attach(model, weights.parent, config, stored, name)
    except MemoryError:
        raise
    except Exception as error:  # whatever a wrong value makes PEFT raise
        place = "its base model" if alone else "beside the other adapters (it may do so alone)"
        raise ValueError(f"The adapter {adapter!r} does not fit {place}: {_last_line(error)}") from error
    wanted = get_peft_model_state_dict(tuned, adapter_name=name, save_embedding_layers=False).keys()
    _require_whole(adapter, wanted, stored.keys() - (own.keys() - wanted))
    replaced = sorted(changed - wanted)
    if replaced and (shared or _changed({key: own[key] for key in replaced}, weights)):
        raise ValueError(
            f"The adapter {adapter!r} brings weights of the base itself that differ from it ({shown(replaced[0])}), so nothing else can "
            "share the base with it. Score it alone: python evaluation/score.py"
            if shared
            else f"The adapter {adapter!r} brings weights of the base itself ({shown(replaced[0])}) that have no place in it."
        )
    return tuned


def _require_whole(adapter: str, wanted: Set[str], held: Set[str]) -> None:
    missing, foreign = sorted(wanted - held), sorted(held - wanted)
    if missing or foreign:
        example = f"misses {missing[0]}" if missing else f"has {foreign[0]}, which the base has no place for"
        raise ValueError(
            f"The adapter {adapter!r} does not load whole: {len(missing)} weights missing, {len(foreign)} without a place; it {example}. "
            "It was trained on another architecture or its file is damaged; it would score like no adapter."
        )


def _attach(
    model: torch.nn.Module, folder: Path, config: PeftConfig, stored: Mapping[str, Stored], name: str
) -> PeftModel:
    most = ROOM * sum(tensor.size for tensor in stored.values()) + SLACK
    with bounded_parameters(most, ROOM * len(stored) + SLACK):
        if not isinstance(model, PeftModel):
            resolve_patterns(config, model)
            return PeftModel.from_pretrained(model, str(folder), name, config=config, use_safetensors=True)
        inner = model.get_base_model()
        resolve_patterns(config, inner)
        model.add_adapter(name, config)
        mapping = getattr(inner, "_checkpoint_conversion_mapping", {})  # as `from_pretrained` does
        model.load_adapter(str(folder), name, key_mapping=mapping)
        return model


def _of_the_base(model: torch.nn.Module, stored: Mapping[str, Stored]) -> dict[str, torch.Tensor]:
    """The weights of the base whose name a stored tensor bears, by the stored name."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    named = {_plain(name): weight for name, weight in inner.named_parameters(remove_duplicate=False)}
    plain = {key: _plain(key.removeprefix(PREFIX)) for key in stored}
    return {key: named[name] for key, name in plain.items() if name in named}


def _changed(own: Mapping[str, torch.Tensor], weights: Path) -> set[str]:
    """Which of the base's weights the file holds with other values."""
    if not own:
        return set()
    with safe_open(weights, framework="pt") as file:
        return {key for key, weight in own.items() if not _equal(file.get_tensor(key), weight)}


def _equal(stored: torch.Tensor, weight: torch.Tensor) -> bool:
    return stored.shape == weight.shape and torch.equal(stored.to(weight.device, weight.dtype), weight)


def _plain(name: str) -> str:
    """The name of a base's weight without what PEFT wraps around it."""
    return name.replace(".base_layer.", ".").replace(".original_module.", ".")


def _require_vocabulary(adapter: str, own: Mapping[str, torch.Tensor], stored: Mapping[str, Stored]) -> None:
    for key, weight in own.items():
        ours, theirs = tuple(weight.shape), stored[key].shape
        if len(ours) == len(theirs) == 2 and ours[1:] == theirs[1:] and ours[0] != theirs[0]:
            raise ValueError(
                f"The adapter {adapter!r} brings a vocabulary of {theirs[0]:,} tokens ({shown(key)}), the base has {ours[0]:,}: tokens "
                "were added when it was trained. Merge it into its resized base, and give that with --base."
            )


def _last_line(error: Exception) -> str:
    """What PEFT said last: of weights that do not fit, the first is a title."""
    if isinstance(error, KeyError):  # of PEFT, where the file lacks what the configuration asks for
        return f"no weight {shown(error.args[0])} was found"
    lines = str(error).strip().splitlines()
    return (
        first_line(type(error)(lines[-1].strip()))
        if isinstance(error, (RuntimeError, ValueError)) and lines
        else first_line(error)
    )
