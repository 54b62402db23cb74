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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, cast

import yaml

from rella_hub import commands
from rella_hub.cli import terminal
from rella_hub.cli.options import add_options, default_of, instance, option_names, set_defaults
from rella_hub.cli.output import visible_output
from rella_hub.cli.redaction import print_traceback, redacted_output
from rella_hub.commands import as_typed_here
from rella_hub.resources import recipe
from rella_hub.texts.shown import LONGEST_MESSAGE, plain
from rella_hub.texts.structured import read_mapping, read_text, yaml_node, yaml_value

USAGE_ERROR = 2
INTERRUPTED = 130


class SeveralLines(ValueError):
    """Bad input of which more is to be said than fits a line; names in it are shown by `plain`."""


def parse(
    *dataclass_types: type,
    description: str,
    arguments: list[str] | None = None,
    fallback: Path | None = None,
    refused: Mapping[str, str] | None = None,
) -> tuple:
    """One instance of each dataclass from the command line (default: that of this process) and its ``--config`` file.

    fallback: the recipe that holds where no --config is given; the first line of output says so, and --help shows its values.
    refused: name -> why there is no such option, of those that a user may look for here; it goes on after the name: "is not taken, ...".
    """
    summary, _, examples = as_typed_here(description).partition("\n")
    parser = _Parser(
        prog=commands.typed,
        description=summary,
        epilog=examples.strip("\n"),
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
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
        known = {n for one in dataclass_types for n in option_names(one)}
        _refuse_unknown(values, known, config, refused or {})
        set_defaults(parser, values)
        arguments = [*_options_of(config), *arguments]  # the later value wins, and both are checked alike
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        name = unknown[0].partition("=")[0].lstrip("-").replace("-", "_")
        if refused and name in refused and unknown[0].startswith("--"):
            parser.error(f"--{name} {refused[name]}")
        parser.error(f"unknown option {unknown[0]}{_nearest(unknown[0].lstrip('-'), _option_names(parser))}")
    if given is None and fallback is not None:
        _say_what_fills_in(fallback, values, vars(namespace))
    chosen = {name: _at_home(value) for name, value in vars(namespace).items()}
    return tuple(instance(one, chosen) for one in dataclass_types)


def run(main: Callable[[], None]) -> None:
    """Call a command: bad input, or a disk or memory that does not do, ends in one clear line and exit code 2, Ctrl-C in exit code 130.

    Nothing that it says, the traceback of a bug included, shows a token or a character that is not seen.
    """
    terminal.prepare()
    # Where this package is installed, bitsandbytes and transformers fetch code from the Hub through it and run it.
    sys.modules.setdefault("kernels", cast(ModuleType, None))
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


def refuse_without(wanted: str, options: Any, names: Sequence[str] | None = None) -> None:
    """ValueError for an option of a dataclass (one of `names`; default: any) that is given, but has no effect without what is wanted."""
    for one in fields(options):
        value = getattr(options, one.name)
        if (names is None or one.name in names) and value != default_of(one):
            raise ValueError(
                f"--{one.name} {value} has no effect without {wanted}. Add that, or leave --{one.name} out."
            )


def read_yaml(path: Path) -> dict:
    """The options of a configuration file."""
    if not path.exists():
        raise ValueError(f"There is no configuration file {path}.")
    return read_mapping(path)


def _options_of(path: Path) -> list[str]:
    """A configuration file as a command line, every value as it is written there: `1.10` is no 1.1, and `no` may be a name."""
    options: list[str] = []
    node: Any = yaml_node(read_text(path), path)
    for key, value in node.value:
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
    return None if config is None else recipe(Path(_at_home(config)))


def _refuse_unknown(values: dict, known: set[str], path: Path, refused: Mapping[str, str]) -> None:
    for key in values:
        if key in refused:
            raise ValueError(f"{path} has the key {key!r}, which {refused[key]}")
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
        self.exit(USAGE_ERROR, f"error: {plain(message, LONGEST_MESSAGE)}\n")
