"""Options of a command line out of dataclasses: `--name` for each field, of its type, with its default and its help.

transformers' HfArgumentParser does the same, but importing it takes longer than most of the commands need to answer --help.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, field, fields
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from rella_hub.commands import as_typed_here

TRUE, FALSE = ("true", "yes", "t", "y", "1"), ("false", "no", "f", "n", "0")


def option(help: str, default: Any = MISSING, *, aliases: tuple[str, ...] = (), pins: bool = True) -> Any:
    """A field of a dataclass of options. Without a default it has to be given.

    aliases: older names that are still taken. pins: False for what has no effect on the result, such as where it goes.
    """
    metadata = {"help": help, "aliases": aliases, "pins": pins}
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


def add_options(parser: argparse.ArgumentParser, dataclass_type: Any) -> None:
    """Give `parser` an option for each field that `option` made."""
    hints = get_type_hints(dataclass_type)
    for one in fields(dataclass_type):
        names = [one.name, *one.metadata.get("aliases", ())]
        flags = [f"--{spelled}" for name in names for spelled in dict.fromkeys((name, name.replace("_", "-")))]
        parser.add_argument(*flags, dest=one.name, **_settings(one, hints[one.name]))


def option_names(dataclass_type: Any) -> set[str]:
    """The names that a recipe may give values by."""
    return {name for one in fields(dataclass_type) for name in (one.name, *one.metadata.get("aliases", ()))}


def instance(dataclass_type: Any, values: Mapping[str, Any]) -> Any:
    return dataclass_type(**{one.name: values[one.name] for one in fields(dataclass_type)})


def default_of(one: Field) -> Any:
    """MISSING for a field that has to be given."""
    return one.default_factory() if one.default_factory is not MISSING else one.default


def set_defaults(parser: argparse.ArgumentParser, values: Mapping[str, Any]) -> None:
    """What a recipe says is what --help shows, and what it gives need not be given again."""
    for action in parser._actions:
        for name in {option.lstrip("-") for option in action.option_strings} & values.keys():
            if values[name] is not None:
                action.default, action.required = values[name], False


def _settings(one: Field, hint: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"help": as_typed_here(one.metadata["help"]).replace("%", "%%")}
    plain = _without_none(hint)
    if get_origin(plain) is list:
        settings |= {"nargs": "+", "type": _reader(get_args(plain)[0])}
    else:
        settings |= {"type": _reader(plain)}
        if plain is bool:
            settings |= {"nargs": "?", "const": True}  # --overwrite alone means true
    default = default_of(one)
    return settings | ({"required": True} if default is MISSING else {"default": default})


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    return hint


def _reader(plain: Any) -> Callable[[str], Any]:
    return {bool: boolean, dict: mapping}.get(get_origin(plain) or plain, plain)


def boolean(text: str) -> bool:
    if text.lower() not in (*TRUE, *FALSE):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() in TRUE


def mapping(text: str) -> dict:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON ({error})") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f'{text!r} is no JSON mapping, such as {{"key": 1}}')
    return value
