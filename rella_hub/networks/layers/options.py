"""Checks of the models' constructor options: what was got, what is expected, what to do.

Options come from YAML files and `config.json`, where "64" and 64 look alike.
"""

from __future__ import annotations

from collections.abc import Sequence


def check_size(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}. Expected a whole number of at least 1: give one, without quotes.")


def check_sizes(name: str, values: Sequence[int], may_be_empty: bool = False) -> None:
    if not isinstance(values, list | tuple) or not (values or may_be_empty):
        raise ValueError(f"{name} is {values!r}. Expected a list of sizes, one a layer: give one such as [128, 64].")
    for index, value in enumerate(values):
        check_size(f"{name}[{index}]", value)


def check_dropout(value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(
            f"dropout is {value!r}. Expected a probability of at least 0 and below 1: 0, 0.1 and 0.2 are usual."
        )


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}. Expected one of {', '.join(choices)}: choose one of them.")


def check_heads(name: str, size: int, heads: int) -> None:
    check_size(name, size)
    check_size("heads", heads)
    if size % heads:
        raise ValueError(f"{name} is {size}, heads is {heads}. Expected a multiple of heads: change one of the two.")
