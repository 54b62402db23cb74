"""What decides a model's numbers beside its weights: its configuration and its tokenizer, each as one hash.

A folder and its copy on the Hub have the same hashes, and so has a copy that was touched where no number can change: the order
and layout of a JSON file, line endings, where and by which version of transformers it was saved, how it samples when it writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

CONFIG = "config.json"
NUMBER_FORMAT = ("dtype", "torch_dtype")  # of the file; it decides only where a model is loaded without saying another
NOT_OF_A_FORWARD_PASS = {
    *("_name_or_path", "_commit_hash", "transformers_version", "use_cache"),
    *("output_attentions", "output_hidden_states", "return_dict", "torchscript"),
    *(
        "do_sample",
        "early_stopping",
        "length_penalty",
        "max_length",
        "min_length",
        "max_new_tokens",
        "no_repeat_ngram_size",
    ),
    *("num_beams", "num_beam_groups", "num_return_sequences", "repetition_penalty", "temperature", "top_k", "top_p"),
    *("typical_p", "diversity_penalty", "bad_words_ids", "output_scores", "return_dict_in_generate"),
}
TOKENIZER = (
    *("tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "vocab*.json", "*.model", "tekken.json"),
    *("vocab*.txt", "merges.txt", "*.tiktoken", "chat_template.*", "vocab.bpe"),
)
NOT_OF_TOKENS = {
    *("name_or_path", "_commit_hash", "is_local", "local_files_only", "transformers_version", "tokenizer_file"),
    *("special_tokens_map_file", "model_max_length", "padding_side", "truncation_side", "processor_class"),
    *("padding", "truncation"),  # of tokenizer.json: how its last caller padded and cut
}


def config_hash(folder: Path, loaded_as_stored: bool = False) -> str | None:
    """Of config.json, None where there is none. loaded_as_stored: whether its number format is the one that is computed in."""
    path = folder / CONFIG
    if not path.is_file():
        return None
    without = NOT_OF_A_FORWARD_PASS if loaded_as_stored else {*NOT_OF_A_FORWARD_PASS, *NUMBER_FORMAT}
    return _short(_canonical(path, without))


def tokenizer_hash(folder: Path) -> str | None:
    """Of vocabulary, merges, added and special tokens and chat template, None where there is no tokenizer."""
    files = sorted({path for pattern in TOKENIZER for path in folder.glob(pattern) if path.is_file()})
    contents = {path.name: _short(_content(path)) for path in files}
    return _short(json.dumps(contents, sort_keys=True).encode()) if contents else None


def _content(path: Path) -> bytes:
    if path.suffix == ".json":
        return _canonical(path, NOT_OF_TOKENS)
    content = path.read_bytes()
    return content.replace(b"\r\n", b"\n") if path.suffix in (".txt", ".jinja", ".bpe", ".tiktoken") else content


def _canonical(path: Path, without: Collection[str]) -> bytes:
    """JSON without layout, order of keys, and the keys that do not matter at its top and in the configurations inside of it."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}). Get it again.") from error
    return json.dumps(_stripped(value, without), sort_keys=True).encode()


def _stripped(value: object, without: Collection[str]) -> object:
    if not isinstance(value, dict):
        return value
    return {
        key: _stripped(inner, without) if key.endswith("_config") else inner
        for key, inner in value.items()
        if key not in without
    }


def _short(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"
