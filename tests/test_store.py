"""Tables on disk: written whole or not at all, named as the Hub names them, read back as they were."""

import errno
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features, Value
from hypothesis import given
from hypothesis import strategies as st

from rella_hub.files import replace
from rella_hub.tables import schema, store

FEATURES = Features({"sample_id": Value("int64"), "text": Value("string")})
MADE_FROM = {"corpus": "ml1m", "seed": 0}


def rows(first: int, count: int) -> pa.Table:
    ids = np.arange(first, first + count)
    return pa.table({"sample_id": ids, "text": [f"text {i}" for i in ids]})


def write(folder, name="samples", rows_per_shard=store.ROWS_PER_SHARD, **splits):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROWS_PER_SHARD", rows_per_shard)
        store.write(folder, name, FEATURES, splits, MADE_FROM)


@pytest.fixture
def written(tmp_path):
    write(tmp_path, train=rows(0, 10), test=rows(10, 3), rows_per_shard=4)
    return tmp_path


def test_shards_are_named_as_on_the_hub(written):
    assert sorted(path.name for path in (written / "samples").iterdir()) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00003.parquet",
        "train-00001-of-00003.parquet",
        "train-00002-of-00003.parquet",
    ]
    assert [pq.read_metadata(path).num_rows for path in store.shard_paths(written, "samples", "train")] == [4, 4, 2]


@given(total=st.integers(0, 40), rows_per_shard=st.integers(1, 9), group=st.integers(1, 5), data=st.data())
def test_what_is_read_is_what_was_written(tmp_path_factory, total, rows_per_shard, group, data):
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROWS_PER_GROUP", group)
        write(folder, rows_per_shard=rows_per_shard, train=rows(0, total))
    expected = rows(0, total).to_pydict()
    assert store.read(folder, "samples").to_pydict() == expected
    assert store.count_rows(folder, "samples") == total
    begin = data.draw(st.integers(0, total))
    end = data.draw(st.integers(begin, total))
    assert store.read_rows(folder, "samples", begin, end).to_pydict() == rows(begin, end - begin).to_pydict()
    assert store.read_rows(folder, "samples", begin, end, columns=["text"]).column_names == ["text"]
    batches = list(store.iterate(folder, "samples", "train", 3))
    assert [i for batch in batches for i in batch["sample_id"].to_pylist()] == expected["sample_id"]
    assert len(store.shard_paths(folder, "samples", "train")) == max(1, -(-total // rows_per_shard))


def test_a_split_without_rows_is_a_split(tmp_path):
    write(tmp_path, train=rows(0, 0), test=rows(0, 1))
    assert store.table_splits(tmp_path, "samples") == ["train", "test"]
    assert store.read(tmp_path, "samples", "train").num_rows == 0


def test_the_same_rows_are_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        write(tmp_path / folder, train=rows(0, 10))
    write(tmp_path / "c", train=rows(1, 10))
    a, b, c = (store.content_hash(tmp_path / folder, "samples") for folder in "abc")
    assert a == b != c


def test_only_the_columns_asked_for(written):
    assert store.read(written, "samples", "test", ["text"]).column_names == ["text"]
    with pytest.raises(ValueError, match=r"has no column 'colour'\. Got: sample_id, text"):
        store.read(written, "samples", "test", ["text", "colour"])


def test_features_travel_with_the_files(tmp_path):
    label = [0, 1]
    table = pa.table({"sample_id": label, "prompt": ["a", "b"], "completion": ["No.", "Yes."], "label": label})
    store.write(tmp_path, "subr_k5", schema.PROMPTS, {"test": table}, MADE_FROM)
    stored = Features.from_arrow_schema(pq.read_schema(store.shard_paths(tmp_path, "subr_k5", "test")[0]))
    assert stored == schema.PROMPTS
    assert stored["label"].names == ["No", "Yes"]


def test_every_file_says_what_it_was_made_from(written):
    expected = {**MADE_FROM, "fingerprint": store.fingerprint(MADE_FROM), "rows": {"train": 10, "test": 3}}
    assert store.provenance(written, "samples") == expected
    for path in (written / "samples").iterdir():
        assert json.loads(pq.read_schema(path).metadata[store.PROVENANCE_KEY]) == expected


def test_a_table_that_is_not_there(written):
    assert store.provenance(written, "views") is None
    with pytest.raises(ValueError, match=r"holds no split 'train'. Got: nothing"):
        store.read(written, "views")
    with pytest.raises(ValueError, match=r"holds no split 'mixed'. Got: train, test"):
        store.read(written, "samples", "mixed")


def test_a_missing_shard_is_named(written):
    (written / "samples" / "train-00001-of-00003.parquet").unlink()
    for use in (store.read, store.provenance):
        with pytest.raises(
            ValueError, match=r"shard 1 of 3 of split 'train' is missing. Remove .*samples and build it again"
        ):
            use(written, "samples")


def test_a_missing_split_is_no_whole_table(written):
    (written / "samples" / "test-00000-of-00001.parquet").unlink()
    with pytest.raises(ValueError, match="holds 10 train rows, but 3 test, 10 train rows were written"):
        store.provenance(written, "samples")


def test_a_damaged_file_is_named(written):
    path = written / "samples" / "train-00000-of-00003.parquet"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match=rf"{re.escape(path.name)} is not a readable Parquet file.*Remove .*samples"):
        store.provenance(written, "samples")


def test_a_file_of_somebody_else_is_named(tmp_path):
    (tmp_path / "samples").mkdir()
    pq.write_table(rows(0, 3), tmp_path / "samples" / "train-00000-of-00001.parquet")
    with pytest.raises(ValueError, match="does not say what it was made from"):
        store.provenance(tmp_path, "samples")


def test_other_folders_are_no_tables(written):
    (written / ".cache").mkdir()
    (written / "notes").mkdir()
    (written / "notes" / "mine.parquet").write_bytes(b"")
    (written / "README.md").write_text("")
    assert store.table_names(written) == ["samples"]


class Interruption(Exception):
    pass


def interrupted(error: BaseException):
    yield rows(0, 3)
    raise error


def write_in_parts(folder, parts, rows_announced: int = 10) -> None:
    """The first shard from `parts`, then the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "ROWS_PER_SHARD", 4)
        with store.writing(folder, "samples", FEATURES, {"train": rows_announced}, MADE_FROM) as writer:
            writer.write(writer.shards[0], parts)
            for shard in writer.shards[1:]:
                writer.write(shard, [rows(shard.begin, shard.end - shard.begin)])


FAILURES = [Interruption(), KeyboardInterrupt(), SystemExit(1), OSError(errno.EIO, "broken disk")]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_an_interrupted_write_leaves_nothing(tmp_path, error):
    with pytest.raises(type(error)):
        write_in_parts(tmp_path, interrupted(error))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_an_interrupted_rewrite_keeps_the_old_table(written, error):
    before = store.content_hash(written, "samples")
    with pytest.raises(type(error)):
        write_in_parts(written, interrupted(error))
    assert [path.name for path in written.iterdir()] == ["samples"]
    assert store.content_hash(written, "samples") == before


def test_fewer_rows_than_announced_leave_nothing(tmp_path):
    with pytest.raises(AssertionError, match=r"train-00000-of-00003\.parquet: 4 rows, got 3"):
        write_in_parts(tmp_path, [rows(0, 3)])
    assert list(tmp_path.iterdir()) == []


def test_a_shard_that_nobody_wrote_leaves_nothing(tmp_path):
    with (
        pytest.raises(AssertionError, match=r"train-00000-of-00001\.parquet was not written"),
        store.writing(tmp_path, "samples", FEATURES, {"train": 3}, MADE_FROM),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [None, Interruption(), KeyboardInterrupt()], ids=["done", "error", "ctrl-c"])
def test_scratch_vanishes(tmp_path, error):
    def use():
        with store.scratch(tmp_path, "view") as folder:
            (folder / "part.npy").write_bytes(b"1")
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            use()
    else:
        use()
    assert list(tmp_path.iterdir()) == []


def test_parts_in_any_size_are_one_shard(tmp_path):
    write_in_parts(tmp_path, [rows(0, 1), rows(1, 0), rows(1, 3)])
    assert store.read(tmp_path, "samples").to_pydict() == rows(0, 10).to_pydict()


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(ValueError, match=r"The disk of .* is full. samples was not written"):
        write(tmp_path, train=rows(0, 10))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [Interruption(), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, error):
    target = tmp_path / "README.md"
    with replace.replacing_file(target) as temporary:
        temporary.write_text("old")

    def broken_off():
        with replace.replacing_file(target) as temporary:
            temporary.write_text("half of the n")
            raise error

    with pytest.raises(type(error)):
        broken_off()
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert target.read_text() == "old"


def test_a_full_disk_keeps_the_old_file(tmp_path):
    target = tmp_path / "README.md"
    target.write_text("old")
    with pytest.raises(ValueError, match=r"is full. README\.md was not written"), replace.replacing_file(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert target.read_text() == "old"


def test_a_table_that_is_written_spares_its_scratch(tmp_path):
    with store.scratch(tmp_path, "samples") as folder:
        assert folder.name.startswith(".samples.")
        write(tmp_path, train=rows(0, 1))
        assert folder.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]
