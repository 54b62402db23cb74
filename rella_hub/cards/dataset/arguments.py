"""The options of the push of a data set; apart from the push, so that --help need not import what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option


@dataclass(frozen=True)
class PushArguments:
    namespace: str = option("User or organization of the Hub to push to.", "rella")
    name: str | None = option("Name of the repository. Default: that of the data set folder.", None)
    private: bool = option("Push to a private repository. So it is where the corpus's terms forbid more.", False)
    permission: str | None = option(
        "Your statement that the publisher permits you to redistribute, such as who permitted it and when; it is printed "
        "on the card. Needed to push a corpus publicly whose terms forbid that.",
        None,
    )
    revision_tag: str | None = option("Tag of this version. Default: data-<hash of the tables>.", None)
    collection: str | None = option(
        "Title of a collection of the namespace that takes the data set, such as ReLLa.", None
    )
    dry_run: bool = option("Print what would change on the Hub, and send nothing.", False)
