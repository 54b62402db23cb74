"""One way to configure every command: dataclasses, a YAML file, the command line, in rising order of precedence.

``--config recipe.yaml`` gives values by the names of the options; an option on the command line wins; a key that no
dataclass has is an error that names the nearest one that exists.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import yaml

from dataset_builders.cli import terminal

USAGE_ERROR = 2
INTERRUPTED = 130


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
        values = read_yaml(config)
        known = {field.name for dataclass_type in dataclass_types for field in fields(dataclass_type) if field.init}
        _refuse_unknown(values, known, config)
        arguments = [*_as_options(values), *arguments]  # the later value wins, and both are checked alike
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(f"unknown option {unknown[0]}{_nearest(unknown[0].lstrip('-'), _option_names(parser))}")
    del namespace.config
    return parser.parse_dict(vars(namespace), allow_extra_keys=True)


def run(main: Callable[[], None]) -> None:
    """Call a command: bad input, or a disk or memory that does not do, ends in one clear line and exit code 2, Ctrl-C in exit code 130."""
    terminal.prepare()
    # Where this package is installed, bitsandbytes and transformers fetch code from the Hub through it and run it.
    sys.modules.setdefault("kernels", None)
    try:
        main()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except (OSError, MemoryError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        print(
            "interrupted; what was being written is gone, what was finished is kept. Run the same command again.",
            file=sys.stderr,
        )
        sys.exit(INTERRUPTED)


def read_yaml(path: Path) -> dict:
    if not path.is_file():
        raise ValueError(f"There is no configuration file {path}.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a YAML file: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold `option: value` lines, it holds {type(values).__name__}.")
    return values


def _as_options(values: dict) -> list[str]:
    options = []
    for key, value in values.items():
        if value is not None:
            several = value if isinstance(value, list) else [value]
            options += [f"--{key}", *(json.dumps(v) if isinstance(v, (dict, bool)) else str(v) for v in several)]
    return options


def _config_path(arguments: list[str]) -> Path | None:
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", type=Path)
    return finder.parse_known_args(arguments)[0].config


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
