"""The two systems without a model, on a small made-up data set, against plain loops over its rows."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from builders import CONFIG, UNSEEN_ITEM, sample_ids_of, write_dataset
from scipy.optimize import minimize

from rella_hub.systems.model_free import both_means, history_mean, item_mean, missing_table
from rella_hub.tables import schema, store


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("rella") / "ml1m"
    write_dataset(folder)
    return folder


def rows_of(folder: Path, name: str, split: str = "train") -> list[dict]:
    return store.read(folder, name, split).to_pylist()


def test_history_mean_is_the_mean_of_the_ratings_shown(folder):
    interactions = rows_of(folder, "interactions")
    samples = {row["sample_id"]: row for row in rows_of(folder, "samples", "test")}
    shown = {row["sample_id"]: row["positions"] for row in rows_of(folder, f"view_{CONFIG}", "test")}
    sample_ids = np.sort(sample_ids_of(folder))[::-3].copy()  # some of them, in another order
    labels, scores = history_mean(folder, CONFIG, "test", sample_ids)
    for sample_id, label, score in zip(sample_ids.tolist(), labels, scores, strict=True):
        user = samples[sample_id]["user_id"]
        history = [row for row in interactions if row["user_id"] == user]
        ratings = [history[p]["rating"] for p in shown[sample_id]]
        assert score == pytest.approx((sum(ratings) / len(ratings) - 1) / 4)
        assert label == samples[sample_id]["label"] == interactions[sample_id]["label"]


def test_item_mean_is_the_mean_label_in_train(folder):
    train = rows_of(folder, "samples", "train")
    overall = sum(row["label"] for row in train) / len(train)
    samples = {row["sample_id"]: row for row in rows_of(folder, "samples", "test")}
    sample_ids = sample_ids_of(folder)[5:].copy()
    labels, scores = item_mean(folder, CONFIG, "test", sample_ids)
    for sample_id, label, score in zip(sample_ids.tolist(), labels, scores, strict=True):
        item = samples[sample_id]["item_id"]
        seen = [row["label"] for row in train if row["item_id"] == item]
        assert score == pytest.approx(sum(seen) / len(seen) if seen else overall)
        assert label == samples[sample_id]["label"]
    assert UNSEEN_ITEM in {samples[i]["item_id"] for i in sample_ids.tolist()}, "the fallback was not tested"


def test_both_means_is_the_regression_that_minimizes_log_loss(folder):
    """By another minimizer, on features counted one by one; the label of a training sample is not in its own item's mean."""
    train = rows_of(folder, "samples", "train")
    labels, shown = history_mean(folder, CONFIG, "train", np.array([row["sample_id"] for row in train]))
    overall = sum(row["label"] for row in train) / len(train)
    others = []
    for row in train:
        seen = [other["label"] for other in train if other["item_id"] == row["item_id"] and other is not row]
        others.append(sum(seen) / len(seen) if seen else overall)

    def loss(weights):
        logit = weights[0] + weights[1] * shown + weights[2] * np.array(others)
        return np.logaddexp(0, logit).sum() - (labels * logit).sum()

    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000}).x
    sample_ids = sample_ids_of(folder)
    truth, scores = both_means(folder, CONFIG, "test", sample_ids)
    (labels, shown), (_, liked) = (mean(folder, CONFIG, "test", sample_ids) for mean in (history_mean, item_mean))
    assert np.allclose(scores, 1 / (1 + np.exp(-(best[0] + best[1] * shown + best[2] * liked))), atol=1e-3)
    assert (truth == labels).all()
    assert abs(best[1:]).max() > 0.1, "weights of nothing would agree with anything"


@pytest.mark.parametrize("scorer", [history_mean, item_mean, both_means])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_scores_are_probabilities_for_every_split(folder, scorer, split):
    sample_ids = sample_ids_of(folder, split)
    labels, scores = scorer(folder, CONFIG, split, sample_ids)
    assert labels.shape == scores.shape == sample_ids.shape
    assert set(labels.tolist()) == {0, 1}
    assert ((scores >= 0) & (scores <= 1)).all()


def test_history_mean_without_behaviors_is_the_middle(folder, tmp_path):
    sample_ids = sample_ids_of(folder)[:2]
    for name in ("samples", "interactions"):
        (tmp_path / name).symlink_to(folder / name)
    view = pa.table({"sample_id": sample_ids, "positions": pa.array([[], [0]], pa.list_(pa.int32()))})
    store.write(tmp_path, f"view_{CONFIG}", schema.VIEWS, {"test": view}, {"corpus": "ml1m"})
    _, scores = history_mean(tmp_path, CONFIG, "test", sample_ids)
    sample = next(row for row in rows_of(folder, "samples", "test") if row["sample_id"] == sample_ids[1])
    first = rows_of(folder, "interactions")[sample["sample_id"] - sample["position"]]
    assert scores.tolist() == [0.5, (first["rating"] - 1) / 4]


@pytest.mark.parametrize("scorer", [history_mean, item_mean, both_means])
def test_sample_of_another_split_is_refused(folder, scorer):
    strangers = sample_ids_of(folder, "train")[:2]
    with pytest.raises(
        ValueError, match=f"2 scored samples are not in the test split of .*samples: .*{strangers.min()}"
    ):
        scorer(folder, CONFIG, "test", strangers)


def test_view_that_was_not_built_is_refused(folder):
    with pytest.raises(ValueError, match="view_subr_k9 holds no split 'test'"):
        history_mean(folder, "subr_k9", "test", sample_ids_of(folder))


def test_missing_table_is_named(folder, tmp_path):
    assert missing_table(folder, CONFIG) is None
    assert missing_table(folder, "subr_k9") == "view_subr_k9"
    assert missing_table(tmp_path, CONFIG) == "samples"
