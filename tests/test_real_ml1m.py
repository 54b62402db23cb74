"""The numbers of MovieLens-1M that are known: those of the released preparation and those the paper prints."""

from pathlib import Path

import pytest

from rella_hub.cards.dataset.heterogeneity import heterogeneity
from rella_hub.cards.dataset.statistics import corpus_statistics
from rella_hub.cli.extras import how_to_install
from rella_hub.stages.arguments import EncoderArguments, FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.embed import embed
from rella_hub.stages.prepare import prepare
from rella_hub.stages.view import build_views
from rella_hub.tables import store
from rella_hub.vectors.encode import PACKAGED

ARCHIVE = Path(__file__).parents[1] / ".." / "shared" / "data" / "ml-1m.zip"
LENGTHS = [5, 10, 15, 20, 25, 30]
RECENCY_IN_THE_PAPER = [2.91, 4.19, 5.09, 5.80, 6.39, 6.90]  # appendix D.4

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not ARCHIVE.exists(), reason="no MovieLens-1M archive in ../shared/data"),
]


@pytest.fixture(scope="module")
def where(tmp_path_factory) -> FolderArguments:
    where = FolderArguments(corpus="ml1m", output=str(tmp_path_factory.mktemp("real") / "ml1m"))
    prepare(where, RawArguments(raw=str(ARCHIVE)))
    return where


def test_what_an_archive_of_other_values_has_in_common_with_the_official_one_is_said(where):
    made_from = store.provenance(where.folder, "interactions")
    assert made_from["raw_status"] in ("official", "not official")
    assert (
        "are the official ones, and so are the lengths of users.dat, movies.dat and ratings.dat"
        in made_from["likeness"]
    )


def test_counts_are_those_of_the_released_preparation(where):
    counts = corpus_statistics(where.folder)
    assert counts.interactions == 1_000_209
    assert {split.name: split.samples for split in counts.splits} == {
        "train": 776_007,
        "validation": 97_000,
        "test": 97_002,
    }
    assert sum(split.samples for split in counts.splits) == 970_009 == counts.interactions - 5 * counts.users
    assert (counts.rated_items, counts.items) == (3_706, 3_883)


def test_field_counts_sum_to_the_features_of_the_paper(where):
    counts = corpus_statistics(where.folder).field_counts
    fields = ["user_id", "gender", "age", "occupation", "zip_code", "item_id", "title", "genre"]
    assert [counts[field] for field in fields] == [6040, 2, 7, 21, 3439, 3706, 3706, 18]
    ratings = len(set(store.read(where.folder, "interactions", columns=["rating"])["rating"].to_pylist()))
    assert sum(counts[field] for field in fields) + ratings == 16_944  # table 1: 16,939 and five rating values


def test_recency_is_as_heterogeneous_as_in_the_paper(where):
    build_views(where, ViewArguments(view=["recency"], history_length=LENGTHS))
    measured = heterogeneity(where.folder, [f"view_recency_k{k}" for k in LENGTHS], "genre")
    assert list(measured.values()) == pytest.approx(RECENCY_IN_THE_PAPER, abs=0.03)


def test_subr_is_less_heterogeneous_than_recency_at_every_length(where):
    (encoder,) = PACKAGED
    pytest.importorskip(PACKAGED[encoder], reason=f"the encoder {encoder} is not installed: {how_to_install('embed')}")
    embed(where, EncoderArguments(encoder=encoder))
    build_views(where, ViewArguments(view=["recency", "subr"], history_length=LENGTHS))
    measured = heterogeneity(where.folder, [f"view_{v}_k{k}" for v in ("recency", "subr") for k in LENGTHS], "genre")
    print(measured)
    for k in LENGTHS:
        assert measured[f"view_subr_k{k}"] < measured[f"view_recency_k{k}"]
