"""Base models and adapters: loaded from safetensors only, without remote code, and never half."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedTokenizerBase

from rella_hub.cli.extras import how_to_install
from rella_hub.files.hashes import hash_file
from rella_hub.hub.identity import config_hash, tokenizer_hash
from rella_hub.hub.model_configs import require_size
from rella_hub.hub.model_folders import ADAPTER_CONFIG, CONFIG, read_header, require_model, stored_tensors
from rella_hub.hub.models import commit_of, local_folder, weights_hash
from rella_hub.hub.origin import origin_of
from rella_hub.language_models import same_base
from rella_hub.language_models.adapter_config import read_adapter_config
from rella_hub.language_models.attach import attach
from rella_hub.language_models.independence import require_independent
from rella_hub.language_models.plain_base import plain_config, require_whole
from rella_hub.tables.checked import parse_yaml, read_json, read_object, read_text, shown
from rella_hub.texts.shown import first_line

QUANTIZATIONS = ("none", "8bit", "4bit")
DTYPES = ("auto", "float32", "bfloat16", "float16")
WEIGHTS = "adapter_model.safetensors"
TRAINING_RECIPE, TRAINING_RECORD = "recipe.yaml", "training.json"
NAMES_AND_SEEDS = ("base", "base_revision", "dataset", "dataset_revision", "seed", "data_seed")
BASE_RECORD = same_base.BASE_RECORD
OBJECTS = (CONFIG, "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def load_tokenizer(base: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(local_folder(base, revision), trust_remote_code=False)
    except Exception as error:  # whatever a damaged file makes the tokenizer's class raise
        raise ValueError(_cannot_load("tokenizer of", base, _broken_file(base, revision) or error)) from error
    tokenizer.name_or_path = base
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(
    base: str,
    revision: str | None = None,
    dtype: str = "auto",
    quantization: str = "none",
    use_cpu: bool = False,
) -> torch.nn.Module:
    """A causal language model by Hub id or folder, ready for scoring or for an adapter; on the GPU, where there is one.

    dtype `auto`: bfloat16 on a GPU, float32 on a CPU. Quantized (bitsandbytes) models run on either.
    """
    chosen = number_format(dtype, use_cpu)
    on_gpu = torch.cuda.is_available() and not use_cpu
    options: dict[str, Any] = {}
    if quantization != "none":
        options["quantization_config"] = _quantization(quantization, chosen)
    if on_gpu:
        options["device_map"] = {"": torch.cuda.current_device()}
    try:
        folder = local_folder(base, revision)
        config, stored = plain_config(folder), stored_tensors(folder)
        require_size(AutoModelForCausalLM, config, stored)
        model, found = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=chosen,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes the model's class raise
        raise ValueError(_cannot_load("base model", base, _broken_file(base, revision) or error)) from error
    require_whole(base, found, stored)
    model.name_or_path = model.config._name_or_path = (
        base  # an adapter names its base by it, not by a folder of the cache
    )
    _keep_as_packed(model)
    try:
        require_independent(model)
    except (ValueError, RuntimeError, IndexError) as error:
        raise ValueError(_cannot_load("base model", base, error)) from error
    return model


def number_format(dtype: str, use_cpu: bool = False) -> torch.dtype:
    """What is computed in on this machine."""
    if dtype not in DTYPES:
        raise ValueError(f"--dtype is {dtype!r}; expected one of {', '.join(DTYPES)}.")
    if dtype == "auto":
        return torch.bfloat16 if torch.cuda.is_available() and not use_cpu else torch.float32
    return getattr(torch, dtype)


def _keep_as_packed(model: torch.nn.Module) -> None:
    """The same 4-bit weights on every CPU, whether they were quantized here or stored so.

    On one with AVX-512 BF16, bitsandbytes repacks them at the first forward pass in evaluation mode: layers of some shapes fail
    there, scores become those of bfloat16, and no gradient passes any more, so a validation would silently end the training."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # ty: ignore[invalid-assignment]  # noqa: B010: not an attribute that torch declares


def _quantization(quantization: str, compute: torch.dtype) -> BitsAndBytesConfig:
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"--quantization is {quantization!r}; expected one of {', '.join(QUANTIZATIONS)}.")
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise ValueError(f"--quantization {quantization} needs bitsandbytes: {how_to_install('quant')}.") from error
    # One line a layer and call about a cast that is meant.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute
    )


def base_identity(base: str, revision: str | None = None) -> dict:
    """What pins a base model wherever it lies: hashes of its `weights`, `config` and `tokenizer`; as `revision` the Hub commit, or
    those weights again."""
    try:
        folder = local_folder(base, revision)
        require_model(folder)
        weights = weights_hash(folder)
        if weights is None:
            raise ValueError("it has no *.safetensors.")
    except ValueError as error:
        raise ValueError(_cannot_load("base model", base, error)) from error
    files = {"weights": weights, "config": config_hash(folder), "tokenizer": tokenizer_hash(folder)}
    origin = origin_of(folder)
    converted = {"origin": {key: origin[key] for key in ("name", "revision", "format")}} if origin else {}
    return {"name": base, "revision": commit_of(folder) or weights, **files, **converted}


def adapter_identity(adapter: str, revision: str | None = None) -> dict:
    """What pins an adapter: its name, the hash of its weights, and that of how they are put to use."""
    folder = adapter_folder(adapter, revision)
    config = read_object(folder / ADAPTER_CONFIG)
    read_adapter_config(
        folder, _largest(read_header(folder / WEIGHTS))
    )  # what cannot be scored is said before a base is loaded
    used = {key: value for key, value in config.items() if key not in ("base_model_name_or_path", "revision")}
    settings = hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()
    return {"name": adapter, "sha256": hash_file(folder / WEIGHTS), "settings_sha256": settings}


def training_notes(adapter: str | None, revision: str | None = None) -> dict:
    """What tables of a paper ask of a run, null where its files are not beside the adapter or do not say: the config that it was
    trained on, how many weights were trained, and all its settings but the seed, by which seeds of one another are known."""
    return notes_beside(adapter_folder(adapter, revision) if adapter else None)


def notes_beside(folder: Path | None) -> dict:
    """The same of the folder that holds the weights; None: there is none."""
    found, settings = {}, None
    places = (folder, folder.parent) if folder else ()
    for name in (TRAINING_RECIPE, TRAINING_RECORD):
        path = next((place / name for place in places if (place / name).is_file()), None)
        values = (
            (parse_yaml(read_text(path), str(path)) if path.suffix == ".yaml" else read_json(path)) if path else None
        )
        found |= values if isinstance(values, dict) else {}
        if name == TRAINING_RECIPE and isinstance(values, dict):
            settings = {str(key): value for key, value in values.items() if key not in NAMES_AND_SEEDS}
    config, weights = found.get("config_name"), found.get("trainable_weights")
    return {
        "training_config": config if isinstance(config, str) else None,
        "trainable_weights": weights if isinstance(weights, int) and not isinstance(weights, bool) else None,
        "training_settings": settings,
    }


def training_samples(adapter: str, revision: str | None = None) -> int | None:
    """N, the number of samples that an adapter was trained on; None where its run's record is not beside it or does not say."""
    folder = adapter_folder(adapter, revision)
    for path in (folder / TRAINING_RECORD, folder.parent / TRAINING_RECORD):  # a repository on the Hub, or a run folder
        if path.is_file():
            record = read_json(path)
            samples = (
                record.get("training_samples") if isinstance(record, dict) else None
            )  # another trainer's file says nothing
            if samples is not None and (isinstance(samples, bool) or not isinstance(samples, int) or samples < 0):
                raise ValueError(f"{path} has training_samples: {shown(samples)}; expected a number of samples.")
            return samples
    return None


def base_doubt(base: dict, adapter: str, revision: str | None = None, any_base: bool = False) -> str | None:
    """What cannot be proved of `base` being the base that the adapter was trained on (rella_hub/language_models/same_base.py)."""
    folder = adapter_folder(adapter, revision)
    config = read_adapter_config(folder, _largest(read_header(folder / WEIGHTS)))
    return same_base.doubt(base, adapter, folder, config.base_model_name_or_path, config.revision, any_base)


def write_base_record(adapter: Path, identity: dict, chat_template_kwargs: dict | None = None) -> None:
    """identity: of the base. chat_template_kwargs: the arguments of its chat template in training."""
    record = identity | {"chat_template_kwargs": chat_template_kwargs}
    (adapter / BASE_RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def load_adapter(
    model: torch.nn.Module,
    base: dict,
    adapter: str,
    revision: str | None = None,
    name: str = "default",
    any_base: bool = False,
    shared: bool = False,
) -> PeftModel:
    """Put an adapter (folder or Hub id) on `model`, whose `base_identity` is `base`.

    shared: whether other systems use the same base, so that nothing of it may change.
    A model that has adapters already gets one more, beside them and unmerged, under another `name`; the one that was active
    stays so (rella_hub/language_models/several.py).

    ValueError when a file is missing, when the adapter was trained on another base (unless `any_base`), or when any of its weights,
    or any weight it should have, does not find its place: a half-loaded adapter scores like no adapter and nobody notices.
    """
    folder = adapter_folder(adapter, revision)
    stored = read_header(folder / WEIGHTS)
    config = read_adapter_config(folder, _largest(stored))
    same_base.doubt(base, adapter, folder, config.base_model_name_or_path, config.revision, any_base)
    tuned = attach(model, adapter, folder / WEIGHTS, config, stored, name, shared)
    if not shared:
        require_scorable(tuned, adapter)
    return tuned


def require_scorable(tuned: PeftModel, adapter: str) -> None:
    """ValueError when the active adapter gives a prompt no score of its own (rella_hub/language_models/independence.py)."""
    try:
        require_independent(tuned)
    except (ValueError, RuntimeError, IndexError) as error:
        raise ValueError(f"The adapter {adapter!r} cannot be scored: {first_line(error)}") from error


def _largest(stored: dict) -> int:
    """The largest dimension of an adapter's weights."""
    return max((size for tensor in stored.values() for size in tensor.shape), default=0)


def adapter_folder(adapter: str, revision: str | None) -> Path:
    """The local folder of an adapter that has all it needs."""
    reason = None
    try:
        folder = local_folder(adapter, revision)
        missing = [name for name in (WEIGHTS, ADAPTER_CONFIG) if not (folder / name).is_file()]
        reason = f"has no {missing[0]}{_what_else(folder)}" if missing else None
    except ValueError as error:
        reason = f"cannot be reached ({error})"
    if reason:
        raise ValueError(
            f"The adapter {adapter!r} {reason}. An adapter is a folder or Hub id with adapter_config.json and "
            "adapter_model.safetensors; pickled weights (.bin) are not read."
        )
    return folder


def _what_else(folder: Path) -> str:
    """What a folder without an adapter holds instead."""
    if (folder / "adapter" / ADAPTER_CONFIG).is_file():
        return f", but {folder / 'adapter'} has: give that"
    if (folder / CONFIG).is_file():
        return ": it is a whole model; give it with --base (a CTR model with --model)"
    return ": it is a data set; give it with --dataset" if (folder / "samples").is_dir() else ""


def _broken_file(base: str, revision: str | None) -> ValueError | None:
    """The first of the model's JSON files that is none, for a library's error does not name it."""
    try:
        for path in sorted(local_folder(base, revision).glob("*.json")):
            read_object(path) if path.name in OBJECTS else read_json(path)
    except ValueError as error:
        return error
    return None


def _cannot_load(what: str, base: str, error: Exception) -> str:
    return (
        f"The {what} {base!r} cannot be loaded: {first_line(error)} Give a Hub id or a folder with "
        "safetensors weights; without a Hub, make a small one: python training/pretrain.py --help"
    )
