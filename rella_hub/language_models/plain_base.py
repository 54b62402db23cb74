"""What may be a base: a causal language model of text alone, all of whose weights lie in its files, and no other weights."""

from __future__ import annotations

import re
from pathlib import Path

from transformers import PreTrainedConfig

from rella_hub.hub.model_configs import read_config
from rella_hub.hub.model_folders import CONFIG, require_model
from rella_hub.tables.checked import shown

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
