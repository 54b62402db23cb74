"""Build the Space of a metric and publish it."""

from __future__ import annotations

import ast
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from rella_hub.hub.collection import add_to_collection
from rella_hub.hub.publish import Repository, publish
from rella_hub.metrics import Metric, choice_metrics, file_of, metrics

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

evaluate.load("{repo_id}").compute({arguments})  # {{"{name}": {value}}}
```

{inputs}
"""


def push_metrics(namespace: str, names: list[str], private: bool, collection: str | None, dry_run: bool) -> None:
    """One commit for each metric. ValueError for a name that is no metric."""
    known = {metric.name: metric for metric in [*metrics(), *choice_metrics()]}
    for name in names:
        file_of(name)
    for name in names or known:
        repo_id = f"{namespace}/{name}"
        with TemporaryDirectory() as scratch:
            files = write_space(Path(scratch), known[name], repo_id)
            space = Repository(repo_id, "space", files, lambda _: False, private, space_sdk="gradio")
            publish(space, f"{name}, version {known[name].version}", tag=None, dry_run=dry_run)
        if collection and not dry_run:
            add_to_collection(collection, repo_id, "space")


def write_space(folder: Path, metric: Metric, repo_id: str) -> dict[str, Path]:
    """Write the files of a metric's Space: path in the repository -> file."""
    from evaluate import load

    source = file_of(metric.name).read_text(encoding="utf-8")
    loaded = load(str(file_of(metric.name)))
    title, _, text = ast.get_docstring(ast.parse(source)).partition(":")
    texts = {
        f"{metric.name}.py": source,
        "app.py": APP.format(repo_id=repo_id),
        "requirements.txt": "".join(f"{package}=={version(package)}\n" for package in ("evaluate", "scikit-learn")),
        "README.md": README.format(
            title=title,
            text=f"{title}:{text}",
            repo_id=repo_id,
            name=metric.name,
            arguments=", ".join(f"{name}={value}" for name, value in metric.example.items()),
            value=round(loaded.compute(**metric.example)[metric.name], 4),
            inputs=loaded.inputs_description.strip(),
        ),
    }
    for path, content in texts.items():
        (folder / path).write_text(content, encoding="utf-8", newline="\n")
    return {path: folder / path for path in texts}
