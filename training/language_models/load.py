"""Base models and adapters: loaded from safetensors only, without remote code, and never half."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedTokenizerBase

from dataset_builders.cli.extras import how_to_install
from dataset_builders.hub.identity import TOKENIZER, config_hash, tokenizer_hash
from dataset_builders.hub.models import commit_of, local_folder, weights_hash
from dataset_builders.raw.archive import hash_file
from dataset_builders.tables import records, store
from dataset_builders.tables.records import COUNT, LINE, optional

QUANTIZATIONS = ("none", "8bit", "4bit")
DTYPES = ("auto", "float32", "bfloat16", "float16")
WEIGHTS = "adapter_model.safetensors"
TRAINING_RECORD = "training.json"
IMPORTED = "megatron_config"  # with it, PEFT imports the module that the same file names as `megatron_core`
DOES_NOT_FIT = (RuntimeError, ValueError, TypeError, OSError, KeyError, AttributeError, ArithmeticError, re.error)
BASE_KINDS = {"name": LINE, "revision": LINE, "weights": optional(LINE)}
BASE_RECORD = "base_model.json"  # stands in an adapter's folder: what the adapter was trained on


def load_tokenizer(base: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(local_folder(base, revision), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(_cannot_load("tokenizer of", base, error)) from error
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
    options = {"quantization_config": _quantization(quantization, chosen)} if quantization != "none" else {}
    if on_gpu:
        options["device_map"] = {"": torch.cuda.current_device()}
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            local_folder(base, revision),
            dtype=chosen,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ValueError(_cannot_load("base model", base, error)) from error
    if found["missing_keys"]:
        raise ValueError(
            f"The base model {base!r} does not load whole: {len(found['missing_keys'])} weights are missing, such as "
            f"{min(found['missing_keys'])}; they would be drawn at random. Its files are damaged, or it is no causal language model."
        )
    model.name_or_path = model.config._name_or_path = (
        base  # an adapter names its base by it, not by a folder of the cache
    )
    _keep_as_packed(model)
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
            module.support_avx512bf16_for_cpu = False


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
    except ValueError as error:
        raise ValueError(_cannot_load("base model", base, error)) from error
    weights = weights_hash(folder)
    if weights is None:
        raise ValueError(_cannot_load("base model", base, ValueError(_without_weights(folder))))
    files = {"weights": weights, "config": config_hash(folder), "tokenizer": tokenizer_hash(folder)}
    return {"name": base, "revision": commit_of(folder) or weights, **files}


def _without_weights(folder: Path) -> str:
    return "it is a data set, not a model." if store.table_names(folder) else "it has no *.safetensors."


def adapter_identity(adapter: str, revision: str | None = None) -> dict:
    """What pins an adapter: its name, the hash of its weights, and that of how they are put to use."""
    folder = adapter_folder(adapter, revision)
    config = _adapter_config(folder)
    used = {key: value for key, value in config.items() if key not in ("base_model_name_or_path", "revision")}
    settings = hashlib.sha256(json.dumps(used, sort_keys=True).encode()).hexdigest()
    return {"name": adapter, "sha256": hash_file(folder / WEIGHTS), "settings_sha256": settings}


def training_samples(adapter: str, revision: str | None = None) -> int | None:
    """N, the number of samples that an adapter was trained on; None where its run's record is not beside it or does not say."""
    folder = adapter_folder(adapter, revision)
    for path in (folder / TRAINING_RECORD, folder.parent / TRAINING_RECORD):  # a repository on the Hub, or a run folder
        if path.is_file():
            kinds = {"training_samples": optional(COUNT)}
            return records.require(records.read_json(path), kinds, str(path)).get("training_samples")
    return None


def _adapter_config(folder: Path) -> dict:
    """adapter_config.json; ValueError when PEFT would import a module that it names."""
    path = folder / "adapter_config.json"
    config = records.require(records.read_json(path), {}, str(path))
    if config.get(IMPORTED):
        raise ValueError(
            f"{path} has {IMPORTED}, with which it would choose code to be imported here. It is not loaded; get an adapter without it."
        )
    return config


def write_base_record(adapter: Path, identity: dict, chat_template_kwargs: dict | None = None) -> None:
    """identity: of the base. chat_template_kwargs: the arguments of its chat template in training."""
    record = identity | {"chat_template_kwargs": chat_template_kwargs}
    (adapter / BASE_RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def load_adapter(
    model: torch.nn.Module, base: dict, adapter: str, revision: str | None = None, name: str = "default"
) -> PeftModel:
    """Put an adapter (folder or Hub id) on `model`, whose `base_identity` is `base`.

    A model that has adapters already gets one more, beside them and unmerged, under another `name`; the one that was active
    stays so (training/language_models/several.py).

    ValueError when a file is missing, when the adapter was trained on another base, or when any of its weights, or any weight
    it should have, does not find its place: a half-loaded adapter scores like no adapter and nobody notices.
    """
    folder = adapter_folder(adapter, revision)
    weights = folder / WEIGHTS
    _require_same_base(base, adapter, folder)
    try:
        with safe_open(weights, framework="pt") as stored:
            held = {key: tuple(stored.get_slice(key).get_shape()) for key in stored.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{weights} is not a whole safetensors file ({error}). Get the adapter again.") from error
    try:
        tuned = _attach(model, folder, name)
    except DOES_NOT_FIT as error:
        place = "beside the other adapters (it may do so alone)" if isinstance(model, PeftModel) else "its base model"
        raise ValueError(
            f"The adapter {adapter!r} does not fit {place}: {(str(error).splitlines() or [type(error).__name__])[-1].strip()}"
        ) from error
    wanted = {key: tuple(value.shape) for key, value in get_peft_model_state_dict(tuned, adapter_name=name).items()}
    missing, foreign = sorted(wanted.keys() - held.keys()), sorted(held.keys() - wanted.keys())
    if missing or foreign:
        example = f"misses {missing[0]}" if missing else f"has {foreign[0]}, which the base has no place for"
        raise ValueError(
            f"The adapter {adapter!r} does not load whole: {len(missing)} weights missing, {len(foreign)} without a place; it {example}. "
            "It was trained on another architecture or its file is damaged; it would score like no adapter."
        )
    return tuned


def _attach(model: torch.nn.Module, adapter: Path, name: str) -> PeftModel:
    if not isinstance(model, PeftModel):
        return PeftModel.from_pretrained(model, str(adapter), name, use_safetensors=True)
    mapping = getattr(model.get_base_model(), "_checkpoint_conversion_mapping", {})  # as `from_pretrained` does
    model.load_adapter(str(adapter), name, key_mapping=mapping)
    return model


def _require_same_base(base: dict, adapter: str, folder: Path) -> None:
    _adapter_config(folder)
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"The adapter {adapter!r} has an adapter_config.json that PEFT does not read ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:200]}). Get the adapter again."
        ) from error
    if config.is_prompt_learning:
        raise ValueError(
            f"The adapter {adapter!r} is of type {config.peft_type.value}: it puts tokens of its own before the prompt. Adapters that "
            "change the layers are scored, such as LoRA."
        )
    record = folder / BASE_RECORD
    if record.is_file():
        trained_on = records.require(records.read_json(record), BASE_KINDS, str(record))
        same = _weights(trained_on) == _weights(base) or trained_on["revision"] == base["revision"]
    else:
        trained_on = {"name": config.base_model_name_or_path, "revision": config.revision}
        same = trained_on["name"] == base["name"]
    if not same:
        raise ValueError(
            f"The adapter {adapter!r} was trained on {trained_on['name']} ({trained_on['revision']}), the base given is {base['name']} "
            f"({base['revision']}). Pass the base that it was trained on with --base."
        )
    _require_same_files(base, adapter, folder, trained_on)


def _require_same_files(base: dict, adapter: str, folder: Path, trained_on: dict) -> None:
    """ValueError when a base has the weights that the adapter was trained on, but not what puts them to use."""
    if trained_on["revision"] == base["revision"] and not base["revision"].startswith("sha256:"):
        return  # one commit of the Hub
    own_tokenizer = any(path for pattern in TOKENIZER for path in folder.glob(pattern))  # told apart by what it reads
    for key in ("config",) if own_tokenizer else ("config", "tokenizer"):
        if trained_on.get(key) not in (None, base.get(key)):  # None: written by a version that did not record it
            raise ValueError(
                f"The adapter {adapter!r} was trained on the weights of {base['name']}, but with another {key} ({trained_on[key]}) than "
                f"the base given has ({base.get(key)}). Pass the base that it was trained on with --base."
            )


def _weights(identity: dict) -> str | None:
    """The hash of a base model's weights, as far as its record knows it."""
    in_folder = identity["revision"] if identity["revision"].startswith("sha256:") else None
    return identity.get("weights", in_folder)


def adapter_folder(adapter: str, revision: str | None) -> Path:
    """The local folder of an adapter that has all it needs."""
    reason = None
    try:
        folder = local_folder(adapter, revision)
        missing = [name for name in (WEIGHTS, "adapter_config.json") if not (folder / name).is_file()]
        reason = f"has no {missing[0]}" if missing else None
    except ValueError as error:
        reason = f"cannot be reached ({error})"
    if reason:
        raise ValueError(
            f"The adapter {adapter!r} {reason}. An adapter is a folder or Hub id with adapter_config.json and "
            "adapter_model.safetensors; pickled weights (.bin) are not read."
        )
    return folder


def _cannot_load(what: str, base: str, error: Exception) -> str:
    return (
        f"The {what} {base!r} cannot be loaded: {str(error).strip().splitlines()[0]} Give a Hub id or a folder with "
        "safetensors weights; without a Hub, make a small one: python training/pretrain.py --help"
    )
