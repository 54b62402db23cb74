"""`rella-hub`: the commands of the layout folders as sub-commands, `rella-hub sft` for `python training/sft.py`.

An installed package has no layout folders at hand, so there these are the commands; in a checkout both ways work.
"""

from __future__ import annotations

import ast
import difflib
import re
import runpy
import sys
from importlib.metadata import version
from pathlib import Path

from rella_hub.resources import INSTALLED, resources

DISTRIBUTION = "rella-hub"
FOLDERS = {  # in the order of use, with what each is for
    "dataset_builders": "Data sets",
    "training": "Training",
    "evaluation": "Evaluation",
    "model_cards": "Model cards and publishing",
}
THINGS = {
    "dataset_builders": "dataset",
    "model_cards": "model",
}  # tell two commands of one name apart: push-dataset, push-model
TYPED = re.compile(rf"(?<![\w./-])(?:python )?(?:{'|'.join(FOLDERS)})/(?:\w+)\.py\b")
USAGE = f"""usage: {DISTRIBUTION} <command> [options]

ReLLa on the Hugging Face Hub. Every command explains itself: {DISTRIBUTION} <command> --help
On several GPUs: accelerate launch --num_processes 4 -m rella_hub <command> [options]
"""
USAGE_ERROR = 2
typed: str | None = None  # how the command of this process was called, where it is a sub-command


def commands() -> dict[str, Path]:
    """The file of each command by its name, in the order of the folders."""
    files = [path for folder in FOLDERS for path in sorted(resources(folder).glob("*.py"))]
    stems = [path.stem for path in files]
    return {
        "-".join(
            [path.stem.replace("_", "-"), *([THINGS[path.parent.name]] if stems.count(path.stem) > 1 else [])]
        ): path
        for path in files
    }


def as_typed_here(text: str) -> str:
    """`text`, in which `python training/sft.py` is what the reader can type: `rella-hub sft` where there is no checkout."""
    if not INSTALLED or not TYPED.search(text):
        return text
    names = {f"{path.parent.name}/{path.name}": name for name, path in commands().items()}

    def spelled(found: re.Match) -> str:
        name = names.get(found[0].removeprefix("python "))
        if name is None:
            return found[0]
        launched = text[: found.start()].rpartition("\n")[2].lstrip().startswith("accelerate launch")
        return f"-m rella_hub {name}" if launched else f"{DISTRIBUTION} {name}"

    return TYPED.sub(spelled, text)


def main() -> None:
    """Run the sub-command of this process's command line; exit code 2 where there is none of that name."""
    name, *options = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help", "help"):
        print(_help())
        return
    if name == "--version":
        print(f"{DISTRIBUTION} {version(DISTRIBUTION)}")
        return
    known = commands()
    name = name.replace("_", "-")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
        print(f"error: there is no command {name!r}. {hint}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    global typed
    typed = f"{DISTRIBUTION} {name}"
    sys.argv = [str(known[name]), *options]
    runpy.run_path(str(known[name]), run_name="__main__")


def _help() -> str:
    lines, known = [USAGE], commands()
    width = max(map(len, known)) + 2
    for folder, title in FOLDERS.items():
        lines.append(f"{title}:")
        for name, path in known.items():
            if path.parent.name == folder:
                lines.append(f"  {name:<{width}}{as_typed_here(_summary(path))}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _summary(path: Path) -> str:
    """The first line of a command's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0]
