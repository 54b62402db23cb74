"""From the text of a card to its file, with the training curve beside it."""

from __future__ import annotations

import sys
from pathlib import Path

from rella_hub.files import ownership
from rella_hub.tables.runs import CURVE

MODEL_CARD = "model card"  # what the files are recorded as


def write(text: str, output: Path, curve: Path | None, local: list[str], what: Path, overwrite: bool = False) -> None:
    """Write a card and its curve, and say so. ValueError where either would replace a file that is not ours, or was changed.

    local: the options that would make it name Hub ids only; what: the folder it is about.
    """
    contents = {output: text.encode()} | ({output.with_name(CURVE): curve.read_bytes()} if curve else {})
    changed = {path: content for path, content in contents.items() if not _holds(path, content)}
    for path in changed:
        ownership.require_replaceable(path, MODEL_CARD, overwrite)
    for path, content in changed.items():
        with ownership.writing_file(path, MODEL_CARD, overwrite) as temporary:
            temporary.write_bytes(content)
    if local:
        print(
            f"WARNING: {output} names folders of this machine, which nobody else has. Before it is published, pass {', '.join(local)}.",
            file=sys.stderr,
        )
    print(f"{output}: card of {what}.", flush=True)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
