"""What an architecture is, read off its file in rella_hub/networks/ctr/ without importing it, which would load torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import rella_hub

NETWORKS = Path(rella_hub.__file__).parent / "networks"
MODELS, ENCODERS = NETWORKS / "ctr", "rella_hub.networks.sequence."


@dataclass(frozen=True)
class Architecture:
    name: str  # of the class: as in its paper
    module: str
    summary: str  # what it is, in a sentence
    description: (
        str  # the whole docstring, and that of its sequence encoder: equations, source, differences from the paper
    )


def read_architecture(name: str) -> Architecture:
    """name: of the file. ValueError when there is none."""
    there = sorted(path.stem for path in MODELS.glob("[!_]*.py"))
    if name not in there:
        raise ValueError(f"There is no model {name!r}. There are: {', '.join(there)} (rella_hub/networks/ctr/).")
    path = MODELS / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = next(node.name for node in tree.body if isinstance(node, ast.ClassDef) and node.name.lower() == name)
    own = ast.get_docstring(tree) or ""
    imported = (node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom))
    encoders = [module.removeprefix(ENCODERS) for module in imported if module.startswith(ENCODERS)]
    parts = [own, *(_docstring(NETWORKS / "sequence" / f"{encoder}.py") for encoder in encoders)]
    return Architecture(
        found, f"rella_hub.networks.ctr.{name}", own.partition("\n")[0].partition(": ")[2], "\n\n".join(parts)
    )


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
