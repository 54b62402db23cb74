"""What a tuning run needs before it starts: its data set, its base model, the memory to hold it. All that is missing is said
at once, with the way to get it and the smallest recipe that would run here.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil
import torch
import yaml
from transformers import AutoModelForCausalLM

from rella_hub.cli import SeveralLines
from rella_hub.cli.extras import how_to_install
from rella_hub.hub import resolve as hub
from rella_hub.hub.model_configs import bounded_parameters
from rella_hub.hub.models import configuration_folder
from rella_hub.language_models.plain_base import plain_config
from rella_hub.resources import resources
from rella_hub.texts.shown import LONGEST_MESSAGE, first_line, plain

ALL_LINEAR = "all-linear"  # PEFT's word for every linear layer but the output
RECIPES = resources("training/recipes")
BYTES_PER_WEIGHT = {"none": None, "8bit": 1.0, "4bit": 0.5}  # None: that of the dtype
LARGEST = 10**13, 10**6  # weights, and parameters that hold them, of any model that there is
HEADROOM = 1.3  # activations, adapter and optimizer beside the weights, measured on small models


@dataclass(frozen=True)
class Needs:
    dataset: str
    config_name: str
    base: str
    quantization: str = "none"
    dtype: str = "auto"
    dataset_revision: str | None = None
    base_revision: str | None = None
    full_finetuning: bool = False


def check(needs: Needs) -> None:
    """ValueError listing everything that is missing."""
    problems = missing(needs)
    if problems:
        raise SeveralLines(
            "this recipe cannot run here:\n"
            + "\n".join(f"  - {plain(problem, LONGEST_MESSAGE)}" for problem in problems)
            + "\n"
            + _suggestion()
        )


def missing(needs: Needs) -> list[str]:
    problems = []
    if needs.quantization != "none" and find_spec("bitsandbytes") is None:
        problems.append(f"--quantization {needs.quantization} needs bitsandbytes: {how_to_install('quant')}.")
    try:
        hub.resolve(needs.dataset, [needs.config_name], needs.dataset_revision)
    except ValueError as error:
        problems.append(str(error))
    try:
        weights = count_weights(needs.base, needs.base_revision)
    except (OSError, ValueError) as error:
        problems.append(_unusable(needs.base, error))
    else:
        wanted, available = memory_wanted(weights, needs), memory_available()
        if wanted > available:
            problems.append(
                f"{needs.base} has {weights / 1e9:.1f} billion weights and wants about {wanted / 2**30:.0f} GiB, of which "
                f"{available / 2**30:.0f} GiB are free. Quantize it (--quantization 8bit or 4bit), or take a smaller --base."
            )
    return problems


def _unusable(base: str, error: Exception) -> str:
    if Path(base).is_dir():
        return f"The base model {base!r} cannot be tuned: {_first_line(error)}"
    return (
        f"The base model {base!r} is neither a folder here nor to be had from the Hub ({_first_line(error)}). With a network and "
        f"its licence accepted: hf download {base}. Any causal language model will do: --base <id or folder>."
    )


def count_weights(base: str, revision: str | None = None) -> int:
    """The number of weights of a base model, from its configuration alone."""
    return _skeleton(base, revision).num_parameters()


def check_layers(base: str, revision: str | None, wanted: list[str]) -> None:
    """ValueError for a layer of --lora_target_modules that the base model does not have, said before its weights are read."""
    model = _skeleton(base, revision)
    layers = [name for name, one in model.named_modules() if getattr(getattr(one, "weight", None), "ndim", 0) == 2]
    for layer in wanted if wanted != [ALL_LINEAR] else []:
        if not any(name == layer or name.endswith(f".{layer}") for name in layers):
            known = ", ".join(sorted({name.rpartition(".")[2] for name in layers}))
            raise ValueError(
                f"--lora_target_modules has {layer!r}, which {base} does not have. It has {known}; {ALL_LINEAR} alone takes all but the "
                "output layer."
            )


def _skeleton(base: str, revision: str | None) -> torch.nn.Module:
    """The model without its weights."""
    config = plain_config(configuration_folder(base, revision))
    try:
        with bounded_parameters(*LARGEST), torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # whatever the class of that model makes of a wrong value
        raise ValueError(first_line(error)) from error


def memory_wanted(weights: int, needs: Needs) -> float:
    if needs.quantization not in BYTES_PER_WEIGHT:
        raise ValueError(f"--quantization is {needs.quantization!r}; expected one of {', '.join(BYTES_PER_WEIGHT)}.")
    per_weight = BYTES_PER_WEIGHT[needs.quantization]
    if per_weight is None:
        wide = needs.dtype == "float32" or (needs.dtype == "auto" and not torch.cuda.is_available())
        per_weight = 4.0 if wide else 2.0
    if needs.full_finetuning:
        per_weight += 12.0  # gradient and the two moments of AdamW, in float32
    return HEADROOM * weights * per_weight


def memory_available() -> float:
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else psutil.virtual_memory().available


def _suggestion() -> str:
    runnable = []
    for path in sorted(RECIPES.rglob("*.yaml")):
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        of_this_command = {"base", "dataset", "config_name"} <= values.keys() and not {"ctr", "family"} & values.keys()
        if of_this_command and Path(values["base"]).is_dir():
            needs = Needs(**{key: values[key] for key in Needs.__dataclass_fields__ if key in values})
            if not missing(needs):
                runnable.append((count_weights(needs.base), path))
    if runnable:
        return f"The smallest recipe that runs here: python training/sft.py --config {_shown(min(runnable)[1])}"
    smoke = RECIPES / "smoke"
    return (
        "The smallest recipe runs in seconds once its data set and base model are made, without any network:\n"
        f"  python dataset_builders/release.py --config {_shown(smoke / 'data.yaml')}\n"
        f"  python training/pretrain.py --config {_shown(smoke / 'base.yaml')}\n"
        f"  python training/sft.py --config {_shown(smoke / 'rella.yaml')}"
    )


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
