"""Base models and adapters: loaded from safetensors only, without remote code, and never half."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedTokenizerBase
from transformers.utils import cached_file

from dataset_builders.raw.archive import hash_file

QUANTIZATIONS = ("none", "8bit", "4bit")
DTYPES = ("auto", "float32", "bfloat16", "float16")
BASE_RECORD = "base_model.json"  # stands in an adapter's folder: what the adapter was trained on


def load_tokenizer(base: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, revision=revision or "main", trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(_cannot_load("tokenizer of", base, error)) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(
    base: str, revision: str | None = None, dtype: str = "auto", quantization: str = "none", for_training: bool = False
) -> torch.nn.Module:
    """A causal language model by Hub id or folder, ready for scoring or for an adapter.

    dtype `auto`: bfloat16 on a GPU, float32 on a CPU. Quantized (bitsandbytes) models run on either.
    """
    if dtype not in DTYPES:
        raise ValueError(f"--dtype is {dtype!r}; expected one of {', '.join(DTYPES)}.")
    on_gpu = torch.cuda.is_available()
    chosen = (torch.bfloat16 if on_gpu else torch.float32) if dtype == "auto" else getattr(torch, dtype)
    options = {"quantization_config": _quantization(quantization, chosen)} if quantization != "none" else {}
    if on_gpu:
        options["device_map"] = {"": torch.cuda.current_device()}
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            base,
            revision=revision or "main",
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
    if for_training and quantization == "4bit":
        _keep_trainable_on_cpu(model)
    return model


def _keep_trainable_on_cpu(model: torch.nn.Module) -> None:
    """bitsandbytes repacks 4-bit weights for CPUs with AVX-512 BF16 at the first forward pass in evaluation mode, after which
    no gradient passes through them: a validation in mid-training would silently end the training."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _quantization(quantization: str, compute: torch.dtype) -> BitsAndBytesConfig:
    if quantization not in QUANTIZATIONS:
        raise ValueError(f"--quantization is {quantization!r}; expected one of {', '.join(QUANTIZATIONS)}.")
    try:
        import bitsandbytes  # noqa: F401
    except ImportError as error:
        raise ValueError(f"--quantization {quantization} needs bitsandbytes: pip install 'rella[quant]'.") from error
    # One line a layer and call about a cast that is meant.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if quantization == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=compute
    )


def base_identity(base: str, revision: str | None = None) -> dict:
    """What pins a base model: the Hub commit, or the hash of a folder's weights."""
    weights = sorted(Path(base).glob("*.safetensors"))
    if weights:
        return {"name": base, "revision": "sha256:" + "+".join(hash_file(path)[:16] for path in weights)}
    try:
        config = AutoConfig.from_pretrained(base, revision=revision or "main", trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(_cannot_load("base model", base, error)) from error
    return {"name": base, "revision": str(getattr(config, "_commit_hash", None) or "unknown")}


def adapter_identity(adapter: str, revision: str | None = None) -> dict:
    """What pins an adapter: its name and the hash of its weights."""
    weights = _adapter_file(adapter, "adapter_model.safetensors", revision)
    return {"name": adapter, "sha256": hash_file(Path(weights))}


def write_base_record(adapter: Path, identity: dict) -> None:
    (adapter / BASE_RECORD).write_text(json.dumps(identity, indent=2) + "\n", encoding="utf-8")


def adapter_tokenizer(adapter: str, revision: str | None = None) -> PreTrainedTokenizerBase | None:
    """The tokenizer that lies beside an adapter, None where there is none."""
    found = _adapter_file(adapter, "tokenizer_config.json", revision, required=False)
    return load_tokenizer(adapter, revision) if found else None


def load_adapter(
    model: torch.nn.Module, base: dict, adapter: str, revision: str | None = None, name: str = "default"
) -> PeftModel:
    """Put an adapter (folder or Hub id) on `model`, whose `base_identity` is `base`.

    A model that has adapters already gets one more, beside them and unmerged, under another `name`; the one that was active
    stays so (training/language_models/several.py).

    ValueError when a file is missing, when the adapter was trained on another base, or when any of its weights, or any weight
    it should have, does not find its place: a half-loaded adapter scores like no adapter and nobody notices.
    """
    weights = _adapter_file(adapter, "adapter_model.safetensors", revision)
    _require_same_base(base, adapter, revision)
    try:
        with safe_open(weights, framework="pt") as stored:
            held = {key: tuple(stored.get_slice(key).get_shape()) for key in stored.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{weights} is not a whole safetensors file ({error}). Get the adapter again.") from error
    try:
        tuned = _attach(model, adapter, revision, name)
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        place = "beside the other adapters (it may do so alone)" if isinstance(model, PeftModel) else "its base model"
        raise ValueError(
            f"The adapter {adapter!r} does not fit {place}: {str(error).splitlines()[-1].strip()}"
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


def _attach(model: torch.nn.Module, adapter: str, revision: str | None, name: str) -> PeftModel:
    if not isinstance(model, PeftModel):
        return PeftModel.from_pretrained(model, adapter, name, revision=revision, use_safetensors=True)
    mapping = getattr(model.get_base_model(), "_checkpoint_conversion_mapping", {})  # as `from_pretrained` does
    model.load_adapter(adapter, name, revision=revision, key_mapping=mapping)
    return model


def _require_same_base(base: dict, adapter: str, revision: str | None) -> None:
    config = PeftConfig.from_pretrained(adapter, revision=revision)
    if config.is_prompt_learning:
        raise ValueError(
            f"The adapter {adapter!r} is of type {config.peft_type.value}: it puts tokens of its own before the prompt. Adapters that "
            "change the layers are scored, such as LoRA."
        )
    record = _adapter_file(adapter, BASE_RECORD, revision, required=False)
    if record:
        trained_on = json.loads(Path(record).read_text(encoding="utf-8"))
        same = trained_on["revision"] == base["revision"]
    else:
        trained_on = {"name": config.base_model_name_or_path, "revision": config.revision}
        same = trained_on["name"] == base["name"]
    if not same:
        raise ValueError(
            f"The adapter {adapter!r} was trained on {trained_on['name']} ({trained_on['revision']}), the base given is {base['name']} "
            f"({base['revision']}). Pass the base that it was trained on with --base."
        )


def _adapter_file(adapter: str, name: str, revision: str | None, required: bool = True) -> str | None:
    try:
        path = cached_file(adapter, name, revision=revision or "main", _raise_exceptions_for_missing_entries=required)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The adapter {adapter!r} has no {name}, or cannot be reached ({str(error).strip().splitlines()[0]}). An adapter is a "
            "folder or Hub id with adapter_config.json and adapter_model.safetensors; pickled weights (.bin) are not read."
        ) from error
    return path


def _cannot_load(what: str, base: str, error: Exception) -> str:
    return (
        f"The {what} {base!r} cannot be loaded: {str(error).strip().splitlines()[0]} Give a Hub id or a folder with "
        "safetensors weights; without a Hub, make a small one: python training/pretrain.py --help"
    )
