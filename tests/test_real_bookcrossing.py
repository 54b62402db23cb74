"""BookCrossing of real records: two archives that hold different parts of it, merged into one, and the merged one built."""

import zipfile
from pathlib import Path

import polars as pl
import pytest

from rella_hub.corpora import load_corpus
from rella_hub.corpora.raw.archive import open_raw
from rella_hub.stages.arguments import FolderArguments, RawArguments
from rella_hub.stages.prepare import prepare
from rella_hub.tables import store

SHARED = Path(__file__).parents[1] / ".." / "shared" / "data"
PARTS = [SHARED / "BX-CSV-Dump-subset.zip", SHARED / "BX-CSV-Dump-extension.zip"]
CORPUS = load_corpus("bookcrossing")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not all(part.exists() for part in PARTS), reason="no two parts of BookCrossing in ../shared/data"
    ),
]


def merged(parts: list[Path], path: Path) -> Path:
    """An archive of the records of all parts, under one header."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name in CORPUS.files:
            records = []
            for part in parts:
                with zipfile.ZipFile(part) as archive:
                    header, _, rest = archive.read(name).partition(b"\n")
                records.append(rest if not rest or rest.endswith(b"\n") else rest + b"\r\n")
            out.writestr(name, header + b"\n" + b"".join(records))
    return path


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    return merged(PARTS, tmp_path_factory.mktemp("bookcrossing") / "BX-CSV-Dump.zip")


def test_counts_of_the_merged_archive(archive):
    parts = []
    for path in [archive, *PARTS]:
        with open_raw(path, CORPUS.files, CORPUS.archive) as raw:
            parts.append(CORPUS.read(raw))
    whole = parts[0]
    assert len(whole.users) == sum(len(part.users) for part in parts[1:])
    assert len(whole.items) == sum(len(part.items) for part in parts[1:])
    left_out = sum(rows for reason, rows in whole.dropped.items() if reason.startswith("ratings"))
    assert len(whole.interactions) + left_out == 444_498
    assert len(whole.interactions) == 338_195
    assert (whole.interactions["rating"] == 0).sum() == 102_425
    assert (whole.interactions.group_by("user_id").len()["len"] > 5).sum() == 8_899


def test_the_merged_archive_is_prepared(archive, tmp_path, capsys):
    where = FolderArguments(corpus="bookcrossing", output=str(tmp_path / "bookcrossing"))
    prepare(where, RawArguments(raw=str(archive)))
    samples = {split: store.count_rows(where.folder, "samples", split) for split in store.SPLITS}
    assert sum(samples.values()) == 8_899
    assert samples == {"train": 7_209, "validation": 800, "test": 890}  # int(0.9 n), a tenth of it held back, the rest
    assert "8,899 samples, the official BookCrossing has 17,714" in capsys.readouterr().err
    items = pl.from_arrow(store.read(where.folder, "items"))
    assert items["isbn"].is_unique().all()
