"""YAML and JSON that anybody may have written: read whole and as it stands, or refused in one line.

YAML is read without anchors' aliases, of which a few lines can stand for more than any memory holds, without a key twice, of which the
first would vanish in silence, and with `1e-3` as the number that it is everywhere but in YAML 1.1.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

LARGEST = 256 * 1024**2  # bytes; the largest real one, the results of many systems, has a hundredth of it
LARGEST_YAML = 1024**2  # characters; PyYAML takes seconds for so many, and a recipe has a thousandth


def read_text(path: Path) -> str:
    """The text of a UTF-8 file; ValueError when there is no such file, or it is a folder, too large, or of another encoding."""
    if not path.is_file():
        raise ValueError(f"{path} is {'a folder; expected a file' if path.is_dir() else 'not there'}.")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes; a file of its kind has fewer than {LARGEST:,}.")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text in UTF-8 ({error.reason} at byte {error.start:,}).") from error


def read_mapping(path: Path) -> dict:
    """The mapping that a YAML or a JSON file holds."""
    return parse_mapping(read_text(path), path.suffix, path)


def parse_mapping(text: str, suffix: str, where: object) -> dict:
    """The mapping that a text holds, YAML by the suffix of its file (.yaml, .yml), else JSON."""
    values = yaml_value(yaml_node(text, where), where) if suffix in (".yaml", ".yml") else parse_json(text, where)
    if not isinstance(values, dict):
        raise ValueError(f"{where} must hold a mapping of names to values, it holds {type(values).__name__}.")
    return values


def parse_json(text: str | bytes, where: object) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON ({error}).") from error


def yaml_node(text: str, where: object) -> yaml.Node | None:
    """The one document of a YAML text, every scalar in it as it is written; None for an empty one."""
    if len(text) > LARGEST_YAML:
        raise ValueError(
            f"{where} has {len(text):,} characters; a YAML file of options has fewer than {LARGEST_YAML:,}."
        )
    try:
        return yaml.compose(text, _Loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"{where} is not a YAML file: {_one_line(error)}") from error


def yaml_value(node: yaml.Node | None, where: object) -> object:
    """What a YAML node says."""
    if node is None:
        return None
    try:
        return _Loader("").construct_document(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"{where} is not a YAML file: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or " ".join(str(error).split())
    return f"line {mark.line + 1}: {said}." if mark else f"{said}."


class _Loader(yaml.SafeLoader):
    """YAML as people mean it; see above."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.MarkedYAMLError(
                problem=f"*{event.anchor} repeats another value, which is not read; write the value out",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(problem="<< is not read; write the values out", problem_mark=key.start_mark)
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"{key.value!r} is given twice", problem_mark=key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else None)
        return super().construct_mapping(node, deep)


_OWN = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")  # numbers by the rule below, dates as texts
_Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag not in _OWN]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
    ),
    list("-+.0123456789"),
)
