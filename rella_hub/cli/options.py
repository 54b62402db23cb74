"""Options of a command line out of dataclasses: `--name` for each field, of its type, with its default and its help.

transformers' HfArgumentParser does the same, but importing it takes longer than most of the commands need to answer --help.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
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
        flags = [f"--{spelled}" for name in _names(one) for spelled in dict.fromkeys((name, name.replace("_", "-")))]
        parser.add_argument(*flags, dest=one.name, **_settings(one, hints[one.name]))


def option_names(dataclass_type: Any) -> set[str]:
    """The names that a recipe may give values by."""
    return {name for one in fields(dataclass_type) for name in _names(one)}


def instance(dataclass_type: Any, values: Mapping[str, Any]) -> Any:
    return dataclass_type(**{one.name: values[one.name] for one in fields(dataclass_type)})


def pinning(options: Any) -> dict[str, Any]:
    """The values of a dataclass of options that have an effect on the result."""
    return {one.name: getattr(options, one.name) for one in fields(options) if one.metadata["pins"]}


def recipe(options: Any, reads: Sequence[str]) -> dict[str, Any]:
    """What a result is made again with: the options that pin it and the names of what is read, in their order."""
    return {
        one.name: getattr(options, one.name) for one in fields(options) if one.metadata["pins"] or one.name in reads
    }


def without_places(values: Mapping[str, Any], dataclass_type: Any) -> dict[str, Any]:
    """Recorded values of options without those that do not pin the result, which earlier versions recorded too."""
    others = {name for one in fields(dataclass_type) if not one.metadata["pins"] for name in _names(one)}
    return {name: value for name, value in values.items() if name not in others}


def pinning_defaults(dataclass_type: Any) -> dict[str, Any]:
    """Their defaults: what an option counts as in a record that is older than it."""
    known = {one.name: default_of(one) for one in fields(dataclass_type) if one.metadata["pins"]}
    return {name: default for name, default in known.items() if default is not MISSING}


def default_of(one: Field) -> Any:
    """MISSING for a field that has to be given."""
    return one.default_factory() if one.default_factory is not MISSING else one.default


def set_defaults(parser: argparse.ArgumentParser, values: Mapping[str, Any]) -> None:
    """What a recipe says is what --help shows, and what it gives need not be given again."""
    for action in parser._actions:
        for name in {option.lstrip("-") for option in action.option_strings} & values.keys():
            if values[name] is not None:
                action.default, action.required = values[name], False


def _names(one: Field) -> list[str]:
    return [one.name, *one.metadata.get("aliases", ())]


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
