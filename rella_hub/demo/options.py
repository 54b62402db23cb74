"""What a demo shows: the data set, and the systems that answer."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option


@dataclass(frozen=True)
class DemoOptions:
    dataset: str = option("Data set: Hub id or folder, such as rella/demo.")
    dataset_revision: str | None = option("Branch, tag or commit of the data set.", None)
    adapters: list[str] = option("Adapters on the --base: Hub ids or folders.", [])
    models: list[str] = option("Whatever else was trained, such as CTR models: run folders or Hub ids.", [])
    history_length: int = option("K at first: how many behaviors are shown.", 5)
    examples: int = option("Samples of the test split to click on.", 6)

    def __post_init__(self) -> None:
        if self.history_length < 1 or self.examples < 1:
            raise ValueError("--history_length and --examples are numbers from 1.")


@dataclass(frozen=True)
class ServerOptions:
    """Where it is served; a Space decides that itself."""

    host: str | None = option(
        "Address to serve on; 0.0.0.0 is every one of this machine. Default: this machine alone, in a Space what the Space asks for.",
        None,
        pins=False,
    )
    port: int | None = option("Port. Default: the first free one from 7860.", None, pins=False)


@dataclass(frozen=True)
class PushDemoArguments:
    space: str = option("Hub id of the Space, such as me/rella-demo.")
    base: str | None = option("Base model of the adapters: a Hub id.", None)
    private: bool = option("Push to a private Space. So it is where the terms of the corpus forbid more.", False)
    permission: str | None = option(
        "Your statement that the corpus's publisher permits you to redistribute: without it a corpus whose terms forbid that is shown "
        "in a private Space.",
        None,
    )
    collection: str | None = option("Title of a collection that takes the Space, such as ReLLa.", None)
    dry_run: bool = option("Print what would change on the Hub, and send nothing.", False)
