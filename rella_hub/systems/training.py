"""A training from the command line, of any family: its options, the training, and the push of what it left."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rella_hub import cli
from rella_hub.cards.publishing.arguments import AdapterPublishingArguments, HubArguments, PushArguments
from rella_hub.cards.publishing.arguments import PublishingArguments as WithoutBase
from rella_hub.cli.options import option, option_names
from rella_hub.systems import facts_of, families, part


@dataclass(frozen=True)
class FamilyArguments:
    family: str = option(
        f"Family of systems: {', '.join(families())}. It decides which options there are; --help with it lists them."
    )


def run(family: str, description: str, fallback: Path | None = None, *more: type) -> None:
    """Parse the command line, train, and push where that is asked for; whether it can be pushed is checked first.

    fallback: the recipe that holds where no --config is given. more: dataclasses of options that are parsed and not looked at.
    """
    of_family = part(family, "options")
    publishing_type = AdapterPublishingArguments if "base" in option_names(of_family.Options) else WithoutBase
    options, hub, publishing, *_ = cli.parse(
        *(of_family.Options, HubArguments, publishing_type, *more),
        description=description,
        fallback=fallback,
        refused=getattr(of_family, "REFUSED", None),
    )
    if not hub.push_to_hub:
        for one in (hub, publishing):
            cli.refuse_without("--push_to_hub", one)
    pushes = hub.push_to_hub and int(os.environ.get("RANK", "0")) == 0  # one of several processes
    if pushes:
        from rella_hub.cards.publishing.push import check_before_training, push_model

        push = PushArguments(options.output_dir, hub.hub_model_id, private=hub.hub_private_repo)
        check_before_training(part(family, "facts").planned(options), push, publishing)
    part(family, "train").train(options)
    if pushes:
        push_model(push, publishing, facts_of(Path(options.output_dir)))


def run_any(description: str) -> None:
    """The same, of the family that --family or the recipe names."""
    run(_chosen(description), description, None, FamilyArguments)


def _chosen(description: str) -> str:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--family")
    parser.add_argument("--config", type=Path)
    given = parser.parse_known_args(sys.argv[1:])[0]
    family = given.family or (cli.read_yaml(given.config).get("family") if given.config else None)
    if family is None and given.config is not None:
        raise ValueError(f"{given.config} names no family. Pass --family: one of {', '.join(families())}.")
    if family is None:
        cli.parse(FamilyArguments, description=description)  # says what is missing, or helps
    return str(family)
