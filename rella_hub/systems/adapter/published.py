"""The files of an adapter as they are published: its base by its Hub id, and a tokenizer where it is not that of the base."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from rella_hub.cards.publishing import terms
from rella_hub.cards.publishing.identity import Identity
from rella_hub.hub.model_folders import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from rella_hub.language_models.same_base import BASE_RECORD
from rella_hub.tables.runs import mapping

COMMAND = "python training/sft.py"
TOKENIZER = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"),
    *("vocab.json", "merges.txt", "tokenizer.model"),
)
OF_THIS_MACHINE = ("is_local", "local_files_only")  # how a tokenizer was loaded, which transformers saves with it
OwnTokenizer = Callable[[], dict[str, str]]  # its files; none where they are those of the base


def texts(adapter: Path, tokenizer: OwnTokenizer, identity: Identity) -> dict[str, str]:
    config = mapping(adapter / ADAPTER_CONFIG, (), COMMAND) | {"base_model_name_or_path": identity.base}
    base = mapping(adapter / BASE_RECORD, (), COMMAND) | {"name": identity.base}
    return {
        ADAPTER_CONFIG: json.dumps(config, indent=2, sort_keys=True) + "\n",
        BASE_RECORD: json.dumps(base, indent=2) + "\n",
        **tokenizer(),
    }


def parts(adapter: Path, recipe: dict, base: dict, tokenizer: OwnTokenizer) -> list[terms.Part]:
    """What a push passes on of the corpora that the base model was pretrained on."""
    of_base = (base, recipe["base"], recipe.get("base_revision"))
    found = terms.of_weights(adapter / ADAPTER_WEIGHTS, *of_base)
    return [*found, *(terms.of_tokenizer(*of_base) if tokenizer() else [])]


def own_tokenizer(adapter: Path, recipe: dict) -> OwnTokenizer:
    """It is compared with that of the base, as it is loaded here, when it is first asked for: that imports transformers."""

    @cache
    def files() -> dict[str, str]:
        from rella_hub.language_models.load import load_tokenizer

        own = _files(adapter)
        with tempfile.TemporaryDirectory() as temporary:
            try:
                load_tokenizer(recipe["base"], recipe.get("base_revision")).save_pretrained(temporary)
            except ValueError:  # it cannot be had here, so whether the two differ is not known
                return own
            return {} if own == _files(Path(temporary)) else own

    return files


def _files(folder: Path) -> dict[str, str]:
    return {path.name: _tokenizer_file(path) for path in sorted(folder.iterdir()) if path.name in TOKENIZER}


def _tokenizer_file(path: Path) -> str:
    """A file of a tokenizer without how it was loaded."""
    text = path.read_text(encoding="utf-8")
    if path.name != "tokenizer_config.json":
        return text
    config = {key: value for key, value in json.loads(text).items() if key not in OF_THIS_MACHINE}
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"
