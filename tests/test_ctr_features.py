"""What a CTR model is given, against plain loops over the tables."""

from pathlib import Path

import numpy as np
import pytest
import torch
from builders import write_vectors

from rella_hub.corpora import UNKNOWN, load_corpus
from rella_hub.stages.arguments import FolderArguments, RawArguments, ViewArguments
from rella_hub.stages.prepare import prepare
from rella_hub.stages.view import build_views
from rella_hub.systems.ctr.inputs.batches import Samples
from rella_hub.systems.ctr.inputs.columns import load_columns
from rella_hub.systems.ctr.inputs.retrieval import HardSearch, open_search
from rella_hub.systems.vocabulary import load_values
from rella_hub.tables import store
from rella_hub.tables.shots import sample_ids

K, R = 4, 3


@pytest.fixture
def folder(prepared):
    write_vectors(prepared)
    build_views(prepared, ViewArguments(view=["subr", "union"], history_length=[R]))
    return prepared.folder


class Plain:
    """The same tables as lists of dictionaries."""

    def __init__(self, folder, shots=None):
        rows = {name: store.read(folder, name).to_pylist() for name in ("users", "items", "interactions")}
        self.interactions = rows["interactions"]
        self.users = {row["user_id"]: row for row in rows["users"]}
        self.items = {row["item_id"]: row for row in rows["items"]}
        self.samples = {split: store.read(folder, "samples", split).to_pylist() for split in store.SPLITS}
        self.views = {
            (view, split): {
                row["sample_id"]: row["positions"] for row in store.read(folder, f"view_{view}_k{R}", split).to_pylist()
            }
            for view in ("subr", "union")
            for split in store.SPLITS
        }
        self.fields = sorted(load_corpus("ml1m").features)
        seen = {name: set() for name in (*self.fields, "rating")}
        for sample in self.samples["train"][:shots]:
            behaviors = [*self.history(sample), self.interactions[sample["sample_id"]]]
            for behavior in behaviors:
                seen["rating"].add(behavior["rating"])
                for field, value in self.items[behavior["item_id"]].items():
                    seen.get(field, set()).add(value)
            for field, value in self.users[sample["user_id"]].items():
                seen.get(field, set()).add(value)
        self.codes = {name: {value: n for n, value in enumerate(sorted(values), 1)} for name, values in seen.items()}

    def history(self, sample) -> list[dict]:
        return self.interactions[sample["sample_id"] - sample["position"] : sample["sample_id"]]

    def code(self, field, value) -> int:
        return self.codes[field].get(value, 0)

    def fields_of(self, sample) -> list[int]:
        known = {**self.users[sample["user_id"]], **self.items[sample["item_id"]]}
        return [self.code(field, known[field]) for field in self.fields]

    def behaviors(self, some) -> list[tuple[int, int]]:
        return [(self.code("item_id", b["item_id"]), self.code("rating", b["rating"])) for b in some]

    def searched(self, sample, split, search) -> list[dict]:
        history = self.history(sample)
        if search in ("subr", "union"):
            return [history[p] for p in self.views[search, split][sample["sample_id"]]]
        group = self.items[sample["item_id"]]["genre"]
        return [b for b in history if self.items[b["item_id"]]["genre"] == group][-R:]


def unpadded(items, ratings, mask) -> list[list[tuple[int, int]]]:
    return [
        [(int(i), int(r)) for i, r, used in zip(*row, strict=True) if used]
        for row in zip(items, ratings, mask, strict=True)
    ]


@pytest.mark.parametrize("shots", [None, 20])
@pytest.mark.parametrize("search", [None, "subr", "union", "category"])
def test_batches_are_what_plain_loops_find(folder, shots, search):
    plain = Plain(folder, shots)
    columns = load_columns(folder, train=sample_ids(folder, "train", shots))
    assert columns.values.field_sizes == {field: len(plain.codes[field]) + 1 for field in plain.fields}
    assert columns.values.rating_values == len(plain.codes["rating"]) + 1
    for split in store.SPLITS:
        samples = Samples(columns, sample_ids(folder, split), K, open_search(search, folder, split, R))
        expected = plain.samples[split]
        assert samples.label.tolist() == [row["label"] for row in expected]
        batch = samples.take(torch.arange(len(samples)))
        assert batch.fields.tolist() == [plain.fields_of(row) for row in expected]
        assert batch.label.tolist() == [row["label"] for row in expected]
        shown = unpadded(batch.history_item, batch.history_rating, batch.history_mask)
        assert shown == [plain.behaviors(plain.history(row)[-K:]) for row in expected]
        if search is None:
            assert batch.retrieved_item is None
            continue
        found = unpadded(batch.retrieved_item, batch.retrieved_rating, batch.retrieved_mask)
        wanted = [plain.searched(row, split, search) for row in expected]
        assert found == [plain.behaviors(some) for some in wanted]
        for row, some, gap in zip(expected, wanted, batch.retrieved_gap, strict=True):
            time = plain.interactions[row["sample_id"]]["timestamp"]
            assert gap[: len(some)].tolist() == pytest.approx([np.log1p(time - b["timestamp"]) for b in some], rel=1e-5)
            assert not gap[len(some) :].any()


def test_some_of_validation_or_test_is_unseen(folder):
    """Else nothing was shown of code 0."""
    columns = load_columns(folder, train=sample_ids(folder, "train", 2))
    unseen = [
        (Samples(columns, sample_ids(folder, split), K).take(torch.arange(6)).fields == 0).any().item()
        for split in ("validation", "test")
    ]
    assert any(unseen)


def test_a_vocabulary_that_was_saved_codes_alike(folder, tmp_path):
    ids = sample_ids(folder, "train")
    learnt = load_columns(folder, train=ids)
    learnt.values.save(tmp_path)
    again = load_columns(folder, load_values(tmp_path))
    assert torch.equal(learnt.item_fields, again.item_fields)
    assert torch.equal(learnt.user_fields, again.user_fields)
    assert torch.equal(learnt.rating_code, again.rating_code)
    with pytest.raises(ValueError, match=r"has no readable vocabulary\.parquet"):
        load_values(tmp_path / "nowhere")


def test_batches_are_all_samples_once_in_an_order_of_the_seed(folder):
    samples = Samples(load_columns(folder, train=sample_ids(folder, "train")), sample_ids(folder, "train"), K)

    def labels(seed):
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        parts = list(samples.batches(7, generator))
        assert [len(part) for part in parts] == [7] * (len(samples) // 7) + [len(samples) % 7] * (len(samples) % 7 > 0)
        return torch.cat([part.fields for part in parts])

    in_order = labels(None)
    assert torch.equal(in_order, samples.take(torch.arange(len(samples))).fields)
    assert torch.equal(labels(0), labels(0))
    assert not torch.equal(labels(0), labels(1))
    assert torch.equal(labels(0).sort(0).values, in_order.sort(0).values)


def test_what_is_asked_for_and_not_there(folder):
    with pytest.raises(ValueError, match=r"no search .soft.\. Expected one of subr, union, category"):
        open_search("soft", folder, "test", R)
    for shots in (0, 10**6):
        with pytest.raises(ValueError, match="samples of train are asked for, but"):
            sample_ids(folder, "train", shots)


def test_behaviors_of_an_unknown_category_have_none_in_common(tmp_path):
    where = FolderArguments(corpus="ml25m", output=str(tmp_path / "ml25m"))
    prepare(where, RawArguments(raw=str(Path(__file__).parent / "fixtures" / "raw" / "ml25m")))
    interactions = store.read(where.folder, "interactions").to_pylist()
    genre = {row["item_id"]: row["genre"] for row in store.read(where.folder, "items").to_pylist()}
    first = {row["user_id"]: n for n, row in reversed(list(enumerate(interactions)))}
    begins = torch.tensor([first[row["user_id"]] for row in interactions])
    search = HardSearch(where.folder, R).of(np.arange(len(interactions)))
    found, mask = search.find(torch.arange(len(interactions)), begins)
    for n, row in enumerate(interactions):
        alike = [
            m for m in range(first[row["user_id"]], n) if genre[interactions[m]["item_id"]] == genre[row["item_id"]]
        ]
        assert found[n][mask[n]].tolist() == ([] if genre[row["item_id"]] == UNKNOWN else alike[-R:])
    assert sum(genre[row["item_id"]] == UNKNOWN for row in interactions) > 1
