"""One way to configure every command: dataclasses, a YAML file, the command line, in rising order of precedence.

``--config recipe.yaml`` gives values by the names of the options; an option on the command line wins; a key that no
dataclass has is an error that names the nearest one that exists.
"""

from __future__ import annotations

import argparse
import difflib
import json
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import yaml

from dataset_builders.cli import terminal
from dataset_builders.cli.output import visible_output
from dataset_builders.hub.redaction import print_traceback, redacted_output
from dataset_builders.text.shown import LONGEST_MESSAGE, plain
from dataset_builders.text.structured import read_mapping, read_text, yaml_node, yaml_value

USAGE_ERROR = 2
INTERRUPTED = 130


class SeveralLines(ValueError):
    """Bad input of which more is to be said than fits a line; names in it are shown by `plain`."""


def parse(*dataclass_types: type, description: str, arguments: list[str] | None = None) -> tuple:
    """One instance of each dataclass from the command line (default: that of this process) and its ``--config`` file."""
    from transformers import HfArgumentParser

    summary, _, examples = description.partition("\n")
    parser = HfArgumentParser(
        dataclass_types,
        description=summary,
        epilog=examples.strip("\n"),
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE.yaml", help="YAML file of options; the command line wins over it.")
    arguments = sys.argv[1:] if arguments is None else arguments
    config = _config_path(arguments)
    if config is not None:
        known = {field.name for dataclass_type in dataclass_types for field in fields(dataclass_type) if field.init}
        arguments = [*_options_of(config, known), *arguments]  # the later value wins, and both are checked alike
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"unknown option {unknown[0]}{_nearest(unknown[0].lstrip('-'), _option_names(parser))}")
    del namespace.config
    values = {name: _at_home(value) for name, value in vars(namespace).items()}
    return parser.parse_dict(values, allow_extra_keys=True)


def run(main: Callable[[], None]) -> None:
    """Call a command: bad input, or a disk or memory that does not do, ends in one clear line and exit code 2, Ctrl-C in exit code 130.

    Nothing that it says, the traceback of a bug included, shows a token or a character that is not seen.
    """
    terminal.prepare()
    try:
        with redacted_output(), visible_output():
            _run(main)
    except Exception:
        sys.excepthook = print_traceback
        raise


def _run(main: Callable[[], None]) -> None:
    try:
        main()
    except SeveralLines as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except RecursionError:
        print("error: what was read is nested too deeply to be anything that this project wrote.", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except ValueError as error:
        print(f"error: {plain(error, LONGEST_MESSAGE)}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except (OSError, MemoryError) as error:
        print(f"error: {type(error).__name__}: {plain(error, LONGEST_MESSAGE)}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        print(
            "interrupted; what was being written is gone, what was finished is kept. Run the same command again.",
            file=sys.stderr,
        )
        sys.exit(INTERRUPTED)


def read_yaml(path: Path) -> dict:
    """The options of a configuration file."""
    if not path.exists():
        raise ValueError(f"There is no configuration file {path}.")
    return read_mapping(path)


def _options_of(path: Path, known: set[str]) -> list[str]:
    """A configuration file as a command line, every value as it is written there: `1.10` is no 1.1, and `no` may be a name."""
    _refuse_unknown(read_yaml(path), known, path)
    options = []
    for key, value in yaml_node(read_text(path), path).value:
        if isinstance(value, yaml.SequenceNode):
            options += [f"--{key.value}", *(_as_written(one, path, key.value) for one in value.value)]
        elif not _is_null(value):
            options.append(f"--{key.value}={_as_written(value, path, key.value)}")
    return options


def _at_home(value):
    """`~` as the home folder also where no shell has put it: in a configuration file, and behind the `=` of an option."""
    if isinstance(value, list):
        return [_at_home(one) for one in value]
    is_path = isinstance(value, str) and re.match(r"~[\w.-]*(?:/|$)", value)
    try:
        return str(Path(value).expanduser()) if is_path else value
    except RuntimeError:  # no such user: a name that begins so
        return value


def _as_written(node: yaml.Node, path: Path, key: str) -> str:
    if isinstance(node, yaml.MappingNode):
        return json.dumps(yaml_value(node, path))
    if isinstance(node, yaml.SequenceNode) or _is_null(node):
        raise ValueError(f"{path} has a list or nothing among the values of {key!r}; expected values alone.")
    return node.value


def _is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def _config_path(arguments: list[str]) -> Path | None:
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config")
    config = finder.parse_known_args(arguments)[0].config
    return None if config is None else Path(_at_home(config))


def _refuse_unknown(values: dict, known: set[str], path: Path) -> None:
    for key in values:
        if key not in known:
            raise ValueError(f"{path} has the unknown key {key!r}{_nearest(str(key), known)}")


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ". See --help for the options."


def _option_names(parser: argparse.ArgumentParser) -> set[str]:
    return {option.lstrip("-") for action in parser._actions for option in action.option_strings}


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and keeps the lines of the examples."""
