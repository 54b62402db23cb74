"""A case as a data set of one sample, so that systems of every family score it by the code that scores a split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from rella_hub.demo.case import Case
from rella_hub.demo.catalogue import Catalogue
from rella_hub.demo.shown import is_liked, positions
from rella_hub.tables import schema, store
from rella_hub.views import parse_config

SPLIT = "test"


@contextmanager
def data_set(catalogue: Catalogue, case: Case, tables: Iterable[str]) -> Iterator[Path]:
    """A folder with `tables`: the history and the target as interactions, one sample, and views of it; all else is the data set's."""
    made_from = {"corpus": catalogue.corpus.id}
    with TemporaryDirectory(prefix="rella-demo-") as temporary:
        folder = Path(temporary)
        store.write(
            folder, "interactions", schema.INTERACTIONS, {store.SINGLE_SPLIT: _interactions(catalogue, case)}, made_from
        )
        store.write(folder, "samples", schema.SAMPLES, {SPLIT: _sample(catalogue, case)}, made_from)
        for name in set(tables) - {"interactions", "samples"}:
            config = parse_config(name)
            if config is None:
                (folder / name).symlink_to((catalogue.folder / name).resolve(), target_is_directory=True)
            else:
                shown = [positions(catalogue, case, config).tolist()]
                view = pa.table({"sample_id": [len(case)], "positions": shown}, schema=schema.VIEWS.arrow_schema)
                store.write(folder, name, schema.VIEWS, {SPLIT: view}, made_from)
        yield folder


def row(case: Case, prompt: str) -> pa.Table:
    """The one row that a system scores."""
    return pa.table(
        {"sample_id": pa.array([len(case)], pa.int64()), "label": pa.array([0], pa.int64()), "prompt": [prompt]}
    )


def _interactions(catalogue: Catalogue, case: Case) -> pa.Table:
    """The history, and the target with a rating that nobody gave: no system reads that of a target."""
    ids = catalogue.items["item_id"].to_list()
    ratings = [*case.ratings, catalogue.ratings[0]]
    return pa.table(
        {
            "user_id": [_user_id(catalogue, case)] * len(ratings),
            "item_id": [ids[item] for item in (*case.items, case.target)],
            "rating": ratings,
            "timestamp": _times(catalogue, case),
            "label": [int(is_liked(catalogue, rating)) for rating in ratings],
        },
        schema=schema.INTERACTIONS.arrow_schema,
    )


def _sample(catalogue: Catalogue, case: Case) -> pa.Table:
    values = {
        "sample_id": [len(case)],
        "user_id": [_user_id(catalogue, case)],
        "position": [len(case)],
        "item_id": [catalogue.items["item_id"][case.target]],
        "label": [0],
    }
    return pa.table(values, schema=schema.SAMPLES.arrow_schema)


def _user_id(catalogue: Catalogue, case: Case) -> int:
    return catalogue.users["user_id"][case.user]


def _times(catalogue: Catalogue, case: Case) -> list[int | None]:
    """Those of a sample; a typed history has none, and is given the usual ones where the corpus knows times at all."""
    if case.times is not None:
        return list(case.times)
    count = len(case) + 1
    known = catalogue.interactions["timestamp"].null_count == 0
    return [catalogue.usual_gap * place for place in range(count)] if known else [None] * count
