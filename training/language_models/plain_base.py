"""What may be a base: a causal language model of text alone, all of whose weights lie in its files, and no other weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from transformers import PreTrainedConfig

from dataset_builders.hub.json_files import shown
from dataset_builders.hub.model_configs import read_config
from dataset_builders.hub.model_folders import CONFIG, require_model

# The class that a model was saved from: a classifier, a reward model, a masked model, ...
OTHER_HEAD = re.compile(r"For(?!CausalLM)[A-Z]\w*$")


def plain_config(folder: Path) -> PreTrainedConfig:
    """The configuration of a causal language model of text alone. ValueError, as a sentence on "it", when the folder holds another."""
    require_model(folder)
    config = read_config(folder)
    saved = config.architectures or []
    other = next((name for name in saved if isinstance(name, str) and OTHER_HEAD.search(name)), None)
    if other or not isinstance(saved, (list, tuple)):
        raise ValueError(f"It was saved as {shown(other or saved)}; expected a causal language model (...ForCausalLM).")
    if config.get_text_config() is not config:
        raise ValueError(
            f"It is a model of more than text ({config.model_type}); expected a causal language model of text alone."
        )
    return config


def require_whole(base: str, found: dict, stored: dict) -> None:
    """ValueError when weights of the model are not in its files, or weights of its files are not in the model."""
    said = "Its files are damaged, or it is no causal language model."
    if found["missing_keys"]:
        raise ValueError(
            f"The base model {base!r} does not load whole: {len(found['missing_keys'])} weights are missing, such as "
            f"{min(found['missing_keys'])}; they would be drawn at random. {said}"
        )
    left = sorted(
        key for key in found["unexpected_keys"] if key not in stored or stored[key].size > 1
    )  # not a mask's constant
    if left or found.get("mismatched_keys"):
        example = left[0] if left else sorted(map(str, found["mismatched_keys"]))[0]
        raise ValueError(
            f"The base model {base!r} does not load whole: its files hold weights that a causal language model of its configuration has "
            f"no place for, such as {example}. It is another kind of model (a classifier, an encoder-decoder), or its {CONFIG} is wrong."
        )


def require_readable(model: torch.nn.Module, prompts: Iterable[Sequence[int]]) -> None:
    """ValueError when the tokenizer writes tokens that the base has no embedding of, or more of them than it has positions for."""
    highest = longest = 0
    for prompt in prompts:
        highest, longest = max(highest, max(prompt)), max(longest, len(prompt))
    known, positions = (
        model.get_input_embeddings().weight.shape[0],
        getattr(model.config, "max_position_embeddings", None),
    )
    if highest >= known:
        raise ValueError(
            f"The tokenizer writes the token {highest}, but the base {model.name_or_path!r} has embeddings of {known:,} tokens: the "
            "two are not of one model. Get the base again, with the tokenizer that belongs to it."
        )
    if isinstance(positions, int) and longest > positions:
        raise ValueError(
            f"The longest prompt has {longest:,} tokens, the base {model.name_or_path!r} reads at most {positions:,}. Nothing is cut: "
            "use a config with a smaller history_length, or a base with a longer context."
        )
