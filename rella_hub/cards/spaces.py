"""Build the Space of a metric and publish it."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import rella_hub.metrics
from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.publish import Repository, publish

METRICS = Path(rella_hub.metrics.__path__[0])
APP = '''\
"""Try the metric in a browser."""

import evaluate
from evaluate.utils import launch_gradio_widget

launch_gradio_widget(evaluate.load("{repo_id}"))
'''
README = """\
---
title: {title}
sdk: gradio
app_file: app.py
pinned: false
tags:
- evaluate
- metric
license: apache-2.0
short_description: {title} of predicted probabilities
---

# {title}

{text}

```python
import evaluate

evaluate.load("{repo_id}").compute(predictions=[0.1, 0.4, 0.4, 0.8], references=[0, 0, 1, 1])  # {{"{name}": {value}}}
```

{inputs}
"""


def metric_names() -> list[str]:
    return sorted(path.stem for path in METRICS.glob("*.py") if path.stem != "__init__")


def push_metrics(namespace: str, names: list[str], private: bool, collection: str | None, dry_run: bool) -> None:
    """One commit for each metric. ValueError for a name that is no metric."""
    for name in names or metric_names():
        if name not in metric_names():
            raise ValueError(f"There is no metric {name!r}. Expected one of {', '.join(metric_names())}.")
    for name in names or metric_names():
        repo_id = f"{namespace}/{name}"
        with TemporaryDirectory() as scratch:
            files = write_space(Path(scratch), name, repo_id)
            space = Repository(repo_id, "space", files, lambda _: False, private, space_sdk="gradio")
            publish(space, f"{name}, version {_constant(name, 'VERSION')}", tag=None, dry_run=dry_run)
        if collection and not dry_run:
            add_to_collection(collection, repo_id, "space")


def write_space(folder: Path, name: str, repo_id: str) -> dict[str, Path]:
    """Write the files of a metric's Space: path in the repository -> file."""
    from evaluate import load

    source = (METRICS / f"{name}.py").read_text(encoding="utf-8")
    value = load(str(METRICS / f"{name}.py")).compute(predictions=[0.1, 0.4, 0.4, 0.8], references=[0, 0, 1, 1])[name]
    title, _, text = ast.get_docstring(ast.parse(source)).partition(":")
    texts = {
        f"{name}.py": source,
        "app.py": APP.format(repo_id=repo_id),
        "requirements.txt": "".join(f"{package}=={version(package)}\n" for package in ("evaluate", "scikit-learn")),
        "README.md": README.format(
            title=title,
            text=f"{title}:{text}",
            repo_id=repo_id,
            name=name,
            value=value,
            inputs=_constant(name, "_INPUTS").strip(),
        ),
    }
    for path, content in texts.items():
        (folder / path).write_text(content, encoding="utf-8", newline="\n")
    return {path: folder / path for path in texts}


def _constant(name: str, constant: str):
    """The value of a constant of a metric's file, which is not imported for it."""
    for node in ast.parse((METRICS / f"{name}.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == constant:
            return ast.literal_eval(node.value)
    raise ValueError(f"{METRICS / name}.py has no {constant}.")
