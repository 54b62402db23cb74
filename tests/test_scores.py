"""A scores table is written whole, read back in sample order, and refused when anything about it is off."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import RECORD, write_dataset

from rella_hub.tables import store
from rella_hub.tables.scores import RECORD_KEYS, read_scores, users_of, write_scores


def columns(**changes) -> dict[str, np.ndarray]:
    values = {"sample_id": [7, 5, 9], "user_id": [3, 2, 3], "label": [1, 0, 1], "score": [0.75, 0.0, 1.0]} | changes
    return {
        "sample_id": np.array(values["sample_id"], dtype=np.int64),
        "user_id": np.array(values["user_id"], dtype=np.int64),
        "label": np.array(values["label"], dtype=np.int64),
        "score": np.array(values["score"], dtype=np.float64),
    }


def write_raw(path, table: dict, metadata: dict | None) -> None:
    """A Parquet file that did not pass the checks of `write_scores`."""
    pq.write_table(pa.table(table).replace_schema_metadata(metadata), path)


def test_read_gives_what_was_written_in_sample_order(tmp_path):
    path = tmp_path / "new folder" / "scores.parquet"
    write_scores(path, **columns(), record=RECORD | {"note": "more is kept"})
    found = read_scores(path)
    assert found.path == path
    assert found.sample_id.tolist() == [5, 7, 9]
    assert found.user_id.tolist() == [2, 3, 3]
    assert found.label.tolist() == [0, 1, 1]
    assert found.score.tolist() == [0.0, 0.75, 1.0]
    assert found.record == RECORD | {"note": "more is kept"}
    assert [p.name for p in path.parent.iterdir()] == ["scores.parquet"]


def test_file_follows_the_contract(tmp_path):
    write_scores(tmp_path / "s.parquet", **columns(), record=RECORD)
    schema = pq.read_schema(tmp_path / "s.parquet")
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "sample_id": pa.int64(),
        "user_id": pa.int64(),
        "label": pa.int64(),
        "score": pa.float64(),
    }
    assert json.loads(schema.metadata[b"rella"]) == RECORD
    assert pq.read_table(tmp_path / "s.parquet")["sample_id"].to_pylist() == [7, 5, 9]


WRONG_COLUMNS = [
    ({"score": [0.5, np.nan, 0.5]}, r"a score must be a number from 0 to 1; 1 are not\. The first: nan of sample 5"),
    ({"score": [0.5, 0.5, 1.5]}, r"The first: 1\.5 of sample 9"),
    ({"score": [-0.5, 0.5, np.inf]}, r"2 are not\. The first: -0\.5 of sample 7"),
    ({"label": [1, 2, 0]}, r"a label must be 0 or 1; 1 are not\. The first: 2 of sample 5"),
    ({"sample_id": [7, 5, 7]}, "sample 7 is scored more than once"),
    ({"sample_id": [], "user_id": [], "label": [], "score": []}, "holds no scores"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG_COLUMNS)
def test_wrong_columns_are_refused_on_write_and_on_read(tmp_path, changes, message):
    path = tmp_path / "s.parquet"
    with pytest.raises(ValueError, match=message):
        write_scores(path, **columns(**changes), record=RECORD)
    assert not path.exists()
    write_raw(path, columns(**changes), {"rella": json.dumps(RECORD)})
    with pytest.raises(ValueError, match=message):
        read_scores(path)


def test_columns_of_different_length_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"shapes \[\(3,\), \(3,\), \(3,\), \(2,\)\]"):
        write_scores(tmp_path / "s.parquet", **columns(score=[0.5, 0.5]), record=RECORD)


@pytest.mark.parametrize("key", RECORD_KEYS)
def test_record_must_be_complete(tmp_path, key):
    record = {k: v for k, v in RECORD.items() if k != key}
    with pytest.raises(ValueError, match=f"its record lacks {key}. Got: "):
        write_scores(tmp_path / "s.parquet", **columns(), record=record)
    write_raw(tmp_path / "s.parquet", columns(), {"rella": json.dumps(record)})
    with pytest.raises(ValueError, match=f"its record lacks {key}. Got: "):
        read_scores(tmp_path / "s.parquet")


@pytest.mark.parametrize("value", [None, "", 3])
def test_record_must_name_the_split(tmp_path, value):
    with pytest.raises(ValueError, match=r"its record has split = .*, expected a text"):
        write_scores(tmp_path / "s.parquet", **columns(), record=RECORD | {"split": value})


def test_failed_write_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "s.parquet"
    write_scores(path, **columns(), record=RECORD)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="from 0 to 1"):
        write_scores(path, **columns(score=[0.1, 0.2, 7]), record=RECORD)
    assert path.read_bytes() == before


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"There is no score file .*s\.parquet"):
        read_scores(tmp_path / "s.parquet")


@pytest.mark.parametrize("kept", [0, 3, 100, -1])
def test_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "s.parquet"
    write_scores(path, **columns(), record=RECORD)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        read_scores(path)


def test_file_with_a_damaged_page_is_refused(tmp_path):
    path = tmp_path / "s.parquet"
    write_scores(path, **columns(), record=RECORD)
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(56)  # the footer is whole, the first column is not
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        read_scores(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "does not say which system and samples it scores"),
        ({"other": "{}"}, "no metadata under the key 'rella'"),
        ({"rella": "{not json"}, "its metadata is not JSON"),
        ({"rella": "[]"}, "its record is a list"),
    ],
)
def test_metadata_must_be_a_record(tmp_path, metadata, message):
    write_raw(tmp_path / "s.parquet", columns(), metadata)
    with pytest.raises(ValueError, match=message):
        read_scores(tmp_path / "s.parquet")


def test_missing_column_is_named(tmp_path):
    table = columns()
    del table["label"]
    write_raw(tmp_path / "s.parquet", table, {"rella": json.dumps(RECORD)})
    with pytest.raises(
        ValueError,
        match=r"has no column 'label'\. Got: sample_id, user_id, score; expected: sample_id, user_id, label, score",
    ):
        read_scores(tmp_path / "s.parquet")


def test_column_of_another_type_is_named(tmp_path):
    table = columns() | {"score": np.array([0.5, 0.5, 0.5], dtype=np.float32)}
    write_raw(tmp_path / "s.parquet", table, {"rella": json.dumps(RECORD)})
    with pytest.raises(ValueError, match="column 'score' holds float, expected double"):
        read_scores(tmp_path / "s.parquet")


def test_a_file_of_0_2_is_read_and_written_again_without_users(tmp_path):
    table = columns()
    del table["user_id"]
    write_raw(tmp_path / "old.parquet", table, {"rella": json.dumps(RECORD)})
    old = read_scores(tmp_path / "old.parquet")
    assert old.user_id is None
    assert old.score.tolist() == [0.0, 0.75, 1.0]
    write_scores(tmp_path / "copy.parquet", old.sample_id, old.user_id, old.label, old.score, dict(old.record))
    assert read_scores(tmp_path / "copy.parquet").user_id is None


def test_users_come_from_the_samples_of_the_data_set(tmp_path):
    write_dataset(tmp_path / "ml1m")
    samples = {row["sample_id"]: row["user_id"] for row in store.read(tmp_path / "ml1m", "samples", "test").to_pylist()}
    ids = np.array(sorted(samples)[::-2])
    found = users_of(tmp_path / "ml1m", "test", ids)
    assert found.tolist() == [samples[i] for i in ids.tolist()]
    assert len(set(found.tolist())) > 1
    with pytest.raises(ValueError, match=r"1 scored samples are not in the test split of .*samples: 999999"):
        users_of(tmp_path / "ml1m", "test", np.array([999_999]))


def test_null_is_named(tmp_path):
    table = columns() | {"score": pa.array([0.5, None, 0.5], pa.float64())}
    write_raw(tmp_path / "s.parquet", table, {"rella": json.dumps(RECORD)})
    with pytest.raises(ValueError, match="column 'score' has 1 nulls"):
        read_scores(tmp_path / "s.parquet")
