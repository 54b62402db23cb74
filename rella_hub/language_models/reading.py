"""How an adapter reads: the arguments of the chat template it was trained with, and the tokenizer that lies beside it."""

from __future__ import annotations

import copy
import json

from transformers import PreTrainedTokenizerBase

from rella_hub.hub.identity import TOKENIZER
from rella_hub.language_models.load import BASE_RECORD, adapter_folder, load_tokenizer

CHAT_TEMPLATE = "chat_template.jinja"


def trained_template_arguments(adapter: str, revision: str | None = None) -> tuple[bool, dict | None]:
    """Whether an adapter's record tells with which arguments of the chat template it was trained, and these."""
    record = adapter_folder(adapter, revision) / BASE_RECORD
    told = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    return "chat_template_kwargs" in told, told.get("chat_template_kwargs")


def adapter_tokenizer(
    adapter: str, of_base: PreTrainedTokenizerBase, revision: str | None = None
) -> PreTrainedTokenizerBase | None:
    """The tokenizer that lies beside an adapter, or the base's with the chat template that does; None where there is neither."""
    folder = adapter_folder(adapter, revision)
    beside = {path.name for pattern in TOKENIZER for path in folder.glob(pattern)}
    if not beside:
        return None
    if beside == {CHAT_TEMPLATE}:
        own = copy.deepcopy(of_base)
        own.chat_template = (folder / CHAT_TEMPLATE).read_text(encoding="utf-8")
        return own
    return load_tokenizer(adapter, revision)
