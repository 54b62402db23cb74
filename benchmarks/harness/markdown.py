"""Write a benchmark's result: a Markdown file that says on which machine, with which versions, and what came out."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

from rella_hub.files.replace import replacing_file
from rella_hub.texts.markdown import table

RESULTS = Path(__file__).parent.parent / "results"
LIBRARIES = ("torch", "transformers", "trl", "peft", "numpy", "polars", "pyarrow")


def machine() -> str:
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GiB{gpu}; Python {platform.python_version()}"


def write(name: str, title: str, what: str, rows: list[tuple], columns: tuple, conclusion: str) -> None:
    """`benchmarks/results/<name>.md`, and the same on the screen."""
    lines = [
        f"# {title}",
        "",
        what,
        "",
        table(columns, [[str(cell) for cell in row] for row in rows], 1),
        "",
        conclusion,
        "",
        f"Machine: {machine()}. Versions: {', '.join(f'{library} {version(library)}' for library in LIBRARIES)}.",
        "",
        f"Made by `python benchmarks/{name}.py`.",
    ]
    text = "\n".join(lines) + "\n"
    RESULTS.mkdir(exist_ok=True)
    with replacing_file(RESULTS / f"{name}.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)
