"""One way to configure every command: dataclasses, a YAML file, the command line, in rising order of precedence.

``--config recipe.yaml`` gives values by the names of the options; an option on the command line wins; a key that no
dataclass has is an error that names the nearest one that exists.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

import yaml

from dataset_builders.cli.options import add_options, default_of, instance, option_names, set_defaults

USAGE_ERROR = 2
INTERRUPTED = 130


def parse(
    *dataclass_types: type,
    description: str,
    arguments: list[str] | None = None,
    fallback: Path | None = None,
    refused: Mapping[str, str] | None = None,
) -> tuple:
    """One instance of each dataclass from the command line (default: that of this process) and its ``--config`` file.

    fallback: the recipe that holds where no --config is given; the first line of output says so, and --help shows its values.
    refused: name -> sentence of options that a user may look for here, and why there is no such option.
    """
    summary, _, examples = description.partition("\n")
    parser = _Parser(
        description=summary, epilog=examples.strip("\n"), formatter_class=_HelpFormatter, allow_abbrev=False
    )
    for dataclass_type in dataclass_types:
        add_options(parser, dataclass_type)
    holds = f" Without it, {_shown(fallback)} holds." if fallback else ""
    parser.add_argument(
        "--config", metavar="FILE.yaml", help=f"YAML file of options; the command line wins over it.{holds}"
    )
    arguments = sys.argv[1:] if arguments is None else arguments
    given = _config_path(arguments)
    config = given or fallback
    if config is not None:
        values = read_yaml(config)
        _refuse_unknown(values, {n for one in dataclass_types for n in option_names(one)}, config, refused or {})
        set_defaults(parser, values)
        arguments = [*_as_options(values), *arguments]  # the later value wins, and both are checked alike
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0].lstrip("-").replace("-", "_")
        if refused and name in refused and unknown[0].startswith("--"):
            parser.error(f"--{name}: {refused[name]}")
        parser.error(f"unknown option {unknown[0]}{_nearest(unknown[0].lstrip('-'), _option_names(parser))}")
    if given is None and fallback is not None:
        _say_what_fills_in(fallback, values, vars(namespace))
    return tuple(instance(one, vars(namespace)) for one in dataclass_types)


def run(main: Callable[[], None]) -> None:
    """Call a command: bad input, or a disk or memory that does not do, ends in one clear line and exit code 2, Ctrl-C in exit code 130."""
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


def refuse_without(wanted: str, options: object, names: Sequence[str] | None = None) -> None:
    """ValueError for an option of a dataclass (one of `names`; default: any) that is given, but has no effect without what is wanted."""
    for one in fields(options):
        value = getattr(options, one.name)
        if (names is None or one.name in names) and value != default_of(one):
            raise ValueError(
                f"--{one.name} {value} has no effect without {wanted}. Add that, or leave --{one.name} out."
            )


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
            several = [json.dumps(v) if isinstance(v, (dict, bool)) else str(v) for v in _as_list(value)]
            options += [f"--{key}", *several] if isinstance(value, list) else [f"--{key}={several[0]}"]
    return options


def _as_list(value: object) -> list:
    return value if isinstance(value, list) else [value]


def _config_path(arguments: list[str]) -> Path | None:
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--config", type=Path)
    return finder.parse_known_args(arguments)[0].config


def _refuse_unknown(values: dict, known: set[str], path: Path, refused: Mapping[str, str]) -> None:
    for key in values:
        if key in refused:
            raise ValueError(f"{path} has the key {key!r}: {refused[key]}")
        if key not in known:
            raise ValueError(f"{path} has the unknown key {key!r}{_nearest(str(key), known)}")


def _say_what_fills_in(fallback: Path, values: dict, chosen: Mapping) -> None:
    """No value that a run is made with may go unseen."""
    filled = [f"{key} {value}" for key, value in values.items() if chosen.get(key) == value]
    print(f"No --config, so {_shown(fallback)} fills in: {', '.join(filled)}.", flush=True)


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _nearest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ". See --help for the options."


def _option_names(parser: argparse.ArgumentParser) -> set[str]:
    return {option.lstrip("-") for action in parser._actions for option in action.option_strings}


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and keeps the lines of the examples."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, without the usage of all options before it."""
        self.exit(USAGE_ERROR, f"error: {message}\n")
