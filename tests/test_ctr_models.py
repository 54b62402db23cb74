"""The traditional CTR models: what must change a logit does, what must not does not, and a saved model is the same model."""

import inspect
import json

import pytest
import torch
import torch.nn.functional as F
from ctr_batches import (
    FIELD_SIZES,
    HISTORY_LENGTH,
    ITEM_COLUMN,
    RATING_VALUES,
    each_column,
    random_batch,
    reordered,
    replaced,
    rows,
    with_garbage,
)

from rella_hub.networks.ctr import load_model_class, model_names

NAMES = ["autoint", "caser", "dcnv2", "deepfm", "din", "gru4rec", "sasrec", "sim"]
READ_THE_ORDER = ["caser", "gru4rec", "sasrec"]
OPTIONS = {  # smaller than the defaults, and different from them, so that a saved model must remember its options
    "autoint": {"attention_layers": 2, "attention_size": 12, "heads": 3, "hidden_sizes": [16]},
    "caser": {
        "history_length": 7,
        "heights": [1, 2, 3],
        "horizontal_filters": 5,
        "vertical_filters": 2,
        "state_size": 10,
    },
    "dcnv2": {"cross_layers": 2, "hidden_sizes": [16, 16], "structure": "stacked"},
    "deepfm": {"hidden_sizes": [16, 16]},
    "din": {"attention_sizes": [10, 6], "hidden_sizes": [16, 8]},
    "gru4rec": {"gru_layers": 2, "gru_size": 10, "hidden_sizes": [16]},
    "sasrec": {"history_length": 7, "blocks": 2, "heads": 2, "hidden_sizes": [16]},
    "sim": {"heads": 2, "attention_size": 6, "gap_buckets": 8, "attention_sizes": [10], "hidden_sizes": [16, 8]},
}


def new_model(name: str, seed: int = 0, **options) -> torch.nn.Module:
    torch.manual_seed(seed)
    return load_model_class(name)(FIELD_SIZES, RATING_VALUES, **({"embedding_size": 8} | OPTIONS[name] | options))


def lively(name: str, **options) -> torch.nn.Module:
    """A model in evaluation mode as training would leave it: large embeddings, moved averages, no parameter at its start."""
    model = new_model(name, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        for module in model.modules():
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[0] = 0
        for seed in range(5):
            model.train()(random_batch(seed=100 + seed))
    return model.eval()


def logits(model: torch.nn.Module, batch) -> torch.Tensor:
    with torch.no_grad():
        return model(batch)


def assert_same(first: torch.Tensor, second: torch.Tensor) -> None:
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


def assert_all_differ(first: torch.Tensor, second: torch.Tensor) -> None:
    assert ((first - second).abs() > 1e-4).all(), (first, second)


def test_every_model_file_is_tested_here():
    assert model_names() == NAMES == sorted(OPTIONS)
    papers = ["AutoInt", "Caser", "DCNv2", "DeepFM", "DIN", "GRU4Rec", "SASRec", "SIM"]
    assert [load_model_class(name).__name__ for name in NAMES] == papers
    assert [name for name in NAMES if load_model_class(name).RETRIEVES] == ["sim"]
    with pytest.raises(ValueError, match=r"There is no model 'dien'\. There are: autoint, caser"):
        load_model_class("dien")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lengths", [[3, 0, 7, 1], [0, 0], [1]])
@pytest.mark.parametrize("training", [True, False])
def test_one_finite_logit_a_sample(name, lengths, training):
    model = lively(name).train(training)
    batch = random_batch(lengths=lengths)
    unseen = each_column(batch, lambda column, value: value if column.endswith("mask") else torch.zeros_like(value))
    for given in (batch, unseen):
        found = model(given)
        assert found.shape == (len(lengths),)
        assert found.dtype == torch.float32
        assert found.isfinite().all()
        found.sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("columns", [0, 1, 9])
def test_padding_never_changes_a_logit(name, columns):
    model = lively(name)
    batch = random_batch(lengths=[3, 0, 7, 1, 6])
    assert_same(logits(model, batch), logits(model, with_garbage(batch, columns)))


@pytest.mark.parametrize("name", NAMES)
def test_padding_has_no_part_in_a_training_step(name):
    model = new_model(name)
    batch = random_batch(lengths=[3, 0, 7, 1, 6])
    found = []
    for given in (batch, with_garbage(batch, 4)):
        model.zero_grad()
        model.train()(given).sum().backward()
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    for first, second in zip(*found, strict=True):
        assert_same(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_a_logit_is_the_same_alone_and_in_a_batch(name):
    model = lively(name)
    batch = random_batch(lengths=[3, 0, 7, 1, 6])
    alone = torch.cat([logits(model, rows(batch, [number])) for number in range(len(batch))])
    assert_same(logits(model, batch), alone)


@pytest.mark.parametrize("name", NAMES)
def test_order_of_the_history_matters_where_it_must(name):
    model = lively(name)
    batch = random_batch(lengths=[7, 5, 3])
    batch = replaced(replaced(batch, "history_item", slice(None), 0, 4), "history_item", slice(None), 2, 9)
    swapped = torch.arange(HISTORY_LENGTH).repeat(3, 1)
    swapped[:, [0, 2]] = swapped[:, [2, 0]]
    compare = assert_all_differ if name in READ_THE_ORDER else assert_same
    compare(logits(model, batch), logits(model, reordered(batch, "history", swapped)))


@pytest.mark.parametrize("name", NAMES)
def test_everything_in_the_batch_matters(name):
    model = lively(name)
    batch = random_batch(lengths=[4, 4, 4])
    before = logits(model, batch)
    changes = [("fields", column) for column in range(len(FIELD_SIZES))]
    changes += [("history_item", 1), ("history_rating", 1)]
    if model.RETRIEVES:
        changes += [("retrieved_item", 1), ("retrieved_rating", 1)]
    for column, place in changes:
        old = getattr(batch, column)[:, place]
        assert_all_differ(before, logits(model, replaced(batch, column, slice(None), place, old % 2 + 1)))


@pytest.mark.parametrize("name", ["caser", "sasrec"])
def test_a_longer_history_is_cut_to_the_most_recent(name):
    model = lively(name, history_length=4)
    batch = random_batch(lengths=[7, 7, 7])
    tail = each_column(batch, lambda column, value: value[:, 3:] if column.startswith("history") else value)
    assert_same(logits(model, batch), logits(model, tail))
    assert_all_differ(logits(model, batch), logits(model, replaced(batch, "history_item", slice(None), 3, 0)))


@pytest.mark.parametrize("name", NAMES)
def test_a_corpus_without_ratings_has_behaviors_all_the_same(name):
    torch.manual_seed(0)
    model = load_model_class(name)(FIELD_SIZES, 1, embedding_size=8, **OPTIONS[name]).eval()
    unrated = each_column(
        random_batch(lengths=[3, 0, 7]), lambda column, value: value * 0 if column.endswith("rating") else value
    )
    before = logits(model, unrated)
    assert before.isfinite().all()
    other = replaced(unrated, "history_item", 0, 2, int(unrated.history_item[0, 2]) % 20 + 1)
    assert (logits(model, other) != before).tolist() == [True, False, False]


def test_sim_retrieves_a_set_with_times():
    model = lively("sim")
    batch = random_batch(lengths=[7, 5, 3])
    mirrored = (batch.retrieved_mask.sum(1, keepdim=True) - 1 - torch.arange(HISTORY_LENGTH)) % HISTORY_LENGTH
    assert_same(logits(model, batch), logits(model, reordered(batch, "retrieved", mirrored)))
    later = each_column(batch, lambda name, value: 21 - value if name == "retrieved_gap" else value)
    assert_all_differ(logits(model, batch), logits(model, later))
    gapless = each_column(batch, lambda name, value: None if name == "retrieved_gap" else value)
    with pytest.raises(ValueError, match="no retrieved_gap"):
        model(gapless)
    nothing = each_column(batch, lambda name, value: None if name.startswith("retrieved") else value)
    with pytest.raises(ValueError, match="no retrieved behaviors"):
        model(nothing)


def test_sim_tells_times_apart_by_buckets():
    model = lively("sim", gap_buckets=4, gap_limit=8.0)
    gaps = torch.tensor([[0.0, 1.99, 2.0, 5.0, 7.99, 8.0, 100.0]])
    batch = each_column(random_batch(lengths=[7]), lambda name, value: gaps if name == "retrieved_gap" else value)
    assert model._buckets(batch)[0].tolist() == [0, 0, 1, 2, 3, 3, 3]


def test_gru4rec_reads_the_state_after_the_last_behavior():
    model = lively("gru4rec")
    batch = random_batch(lengths=[3, 7])
    embedded = model.embedding(batch)
    states = [model.encoder.gru(embedded.history[row : row + 1, :count])[1][-1] for row, count in enumerate([3, 7])]
    expected = model.predictor(torch.cat([torch.cat(states), embedded.fields.flatten(1)], dim=1))
    assert_same(model(batch), expected)


@pytest.mark.parametrize("name", NAMES)
def test_eight_samples_can_be_learned_by_heart(name):
    model = new_model(name).train()
    batch = random_batch(lengths=[0, 1, 2, 3, 4, 5, 6, 7])
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, weight_decay=0.0)
    for _ in range(200):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(model(batch), batch.label).backward()
        optimizer.step()
    assert F.binary_cross_entropy_with_logits(logits(model, batch), batch.label) < 0.05
    assert not any(table.weight[0].any() for table in model.modules() if getattr(table, "padding_idx", None) == 0)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter_and_no_padding(name):
    model = lively(name).train()
    batch = random_batch(size=32)
    F.binary_cross_entropy_with_logits(model(batch), batch.label).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.any(), key
    for table in (module for module in model.modules() if getattr(module, "padding_idx", None) == 0):
        assert not table.weight.grad[0].any()
    read = torch.cat([batch.fields[:, ITEM_COLUMN], batch.history_item[batch.history_mask]])
    if model.RETRIEVES:
        read = torch.cat([read, batch.retrieved_item[batch.retrieved_mask]])
    hidden = random_batch(lengths=[2, 2], seed=5)
    model.zero_grad()
    model(hidden).sum().backward()
    row_of = model.embedding.rows.item_offset
    seen = {*hidden.fields[:, ITEM_COLUMN].tolist(), *hidden.history_item[hidden.history_mask].tolist()}
    if model.RETRIEVES:
        seen |= set(hidden.retrieved_item[hidden.retrieved_mask].tolist())
    for item in range(1, FIELD_SIZES["item_id"]):
        assert bool(model.embedding.table.weight.grad[row_of + item].any()) == (item in seen), item


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_is_the_same_model(name, tmp_path):
    model = lively(name, dropout=0.1)
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {"config.json", "model.safetensors", "README.md"}
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config.keys() == set(inspect.signature(type(model).__init__).parameters) - {"self"}
    loaded = load_model_class(name).from_pretrained(tmp_path)
    assert not loaded.training
    batch = random_batch(lengths=[3, 0, 7, 1, 6])
    assert torch.equal(logits(model, batch), logits(loaded, batch))


def test_weights_that_do_not_fit_are_refused(tmp_path):
    lively("deepfm").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_sizes": [16, 16, 16]}), encoding="utf-8")
    with pytest.raises(RuntimeError, match="deep"):
        load_model_class("deepfm").from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"pytorch_model.bin and no model.safetensors"):
        load_model_class("deepfm")._load_as_pickle(None, "pytorch_model.bin", "cpu", True)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_for_training(name):
    model = lively(name, dropout=0.5)
    batch = random_batch(lengths=[7, 5, 6])
    assert torch.equal(logits(model, batch), logits(model, batch))
    model.train()
    assert not torch.equal(logits(model, batch), logits(model, batch))


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_enough(name):
    model = load_model_class(name)(FIELD_SIZES, RATING_VALUES)
    assert logits(model, random_batch(length=30, lengths=[30, 0])).shape == (2,)


@pytest.mark.parametrize("name", NAMES)
def test_models_have_no_open_ended_options(name):
    kinds = {parameter.kind for parameter in inspect.signature(load_model_class(name).__init__).parameters.values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
    with pytest.raises(TypeError, match="embed_dim"):
        new_model(name, embed_dim=8)


@pytest.mark.parametrize("name", NAMES)
def test_every_size_is_checked(name):
    signature = inspect.signature(load_model_class(name).__init__).parameters
    for option, parameter in signature.items():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY or option in ("dropout", "activation", "structure"):
            continue
        bad = [0, -1, "8", True, 2.5, None]
        if option in ("hidden_sizes", "attention_sizes", "heights"):
            bad = [[0], ["8"], 8, [4, -1], *([] if name == "autoint" else [[]])]
        elif option == "gap_limit":
            bad = [0, -1.0, "21", float("inf"), float("nan")]
        for value in bad:
            with pytest.raises(ValueError, match=rf"{option}.* is .*\. Expected .*: "):
                new_model(name, **{option: value})
    for value in (1, 1.0, -0.1, "0.1", True, None):
        with pytest.raises(ValueError, match=r"dropout is .*\. Expected a probability of at least 0 and below 1"):
            new_model(name, dropout=value)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("autoint", {"attention_size": 10, "heads": 4}, "attention_size is 10, heads is 4. Expected a multiple"),
        ("sasrec", {"embedding_size": 8, "heads": 3}, "embedding_size is 8, heads is 3. Expected a multiple"),
        (
            "caser",
            {"history_length": 2, "heights": [1, 3]},
            r"heights is \[1, 3\]. Expected at most history_length = 2",
        ),
        ("dcnv2", {"structure": "both"}, "structure is 'both'. Expected one of parallel, stacked"),
        ("din", {"activation": "gelu"}, "activation is 'gelu'. Expected one of relu, prelu, dice"),
    ],
)
def test_a_bad_option_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        new_model(name, **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("autoint", {"hidden_sizes": []}),
        ("dcnv2", {"structure": "parallel"}),
        ("din", {"activation": "prelu", "attention_sizes": [5]}),
        ("din", {"activation": "relu"}),
        ("gru4rec", {"gru_layers": 1}),
        ("sasrec", {"blocks": 1}),
    ],
)
def test_other_choices_are_models_too(name, options):
    model = lively(name, **options)
    batch = random_batch(lengths=[3, 0, 7, 1])
    assert_same(logits(model, batch), logits(model, with_garbage(batch, 2)))
    model(batch).sum().backward()
    assert all(parameter.grad.any() for parameter in model.parameters())
