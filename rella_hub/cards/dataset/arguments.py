"""The options of the push of a data set; apart from the push, so that --help need not import what it needs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PushArguments:
    namespace: str = field(default="rella", metadata={"help": "User or organization of the Hub to push to."})
    name: str | None = field(
        default=None, metadata={"help": "Name of the repository. Default: that of the data set folder."}
    )
    private: bool = field(
        default=False, metadata={"help": "Push to a private repository. So it is where the corpus's terms forbid more."}
    )
    permission: str | None = field(
        default=None,
        metadata={
            "help": "Your statement that the publisher permits you to redistribute, such as who permitted it and when; it is printed "
            "on the card. Needed to push a corpus publicly whose terms forbid that."
        },
    )
    revision_tag: str | None = field(
        default=None, metadata={"help": "Tag of this version. Default: data-<hash of the tables>."}
    )
    collection: str | None = field(
        default=None,
        metadata={"help": "Title of a collection of the namespace that takes the data set, such as ReLLa."},
    )
    dry_run: bool = field(default=False, metadata={"help": "Print what would change on the Hub, and send nothing."})
