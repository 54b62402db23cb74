"""What an architecture is, read off its file in rella_hub/networks/ctr/ without importing it, which would load torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import rella_hub

MODELS = Path(rella_hub.__file__).parent / "networks" / "ctr"


@dataclass(frozen=True)
class Architecture:
    name: str  # of the class: as in its paper
    module: str
    summary: str  # what it is, in a sentence
    description: str  # the whole docstring: equations, source, and where it differs from its paper


def read_architecture(name: str) -> Architecture:
    """name: of the file. ValueError when there is none."""
    there = sorted(path.stem for path in MODELS.glob("[!_]*.py"))
    if name not in there:
        raise ValueError(f"There is no model {name!r}. There are: {', '.join(there)} (rella_hub/networks/ctr/).")
    path = MODELS / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = next(node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name.lower() == name)
    description = ast.get_docstring(tree)
    return Architecture(
        found, f"rella_hub.networks.ctr.{name}", description.partition("\n")[0].partition(": ")[2], description
    )
