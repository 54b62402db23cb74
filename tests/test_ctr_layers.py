"""The layers of the traditional CTR models against the papers' equations, by hand or by plain loops."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from ctr_batches import FIELD_SIZES, ITEM_COLUMN, RATING_VALUES, random_batch, replaced

from rella_hub.networks.layers.activation import Dice
from rella_hub.networks.layers.attention import ActivationUnit, MultiHeadTargetAttention
from rella_hub.networks.layers.batch import Batch, Vocabulary
from rella_hub.networks.layers.convolution import HorizontalConvolution, VerticalConvolution
from rella_hub.networks.layers.cross import CrossNetwork
from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.factorization import pairwise_interactions
from rella_hub.networks.layers.mlp import MLP, Predictor
from rella_hub.networks.layers.pooling import last_state, mean_weights, most_recent, to_history
from rella_hub.networks.layers.self_attention import CausalBlock, InteractingLayer, causal_mask

MASK = torch.tensor([[True, True, False, False], [False] * 4, [True] * 4])
LENGTHS = [2, 0, 4]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def close(first, second) -> None:
    torch.testing.assert_close(first, torch.as_tensor(second), rtol=1e-4, atol=1e-6)


# What a batch holds.


def test_a_vocabulary_is_in_alphabetical_order_and_has_the_item():
    assert list(Vocabulary(FIELD_SIZES, RATING_VALUES).field_sizes) == sorted(FIELD_SIZES)
    with pytest.raises(ValueError, match=r"in the order user_id, item_id\. Expected item_id, user_id: sort"):
        Vocabulary({"user_id": 3, "item_id": 4}, 6)
    with pytest.raises(ValueError, match=r"Expected 'item_id' among them"):
        Vocabulary({"user_id": 3}, 6)
    with pytest.raises(ValueError, match=r"field_sizes\['item_id'\] is 0\. Expected a whole number"):
        Vocabulary({"item_id": 0}, 6)
    with pytest.raises(ValueError, match=r"rating_values is '6'\. Expected a whole number"):
        Vocabulary({"item_id": 4}, "6")


def test_a_batch_refuses_behaviors_that_do_not_fit():
    batch = random_batch(lengths=[3, 5])
    with pytest.raises(ValueError, match=r"history_rating has the shape \(2, 6\)\. Expected \(2, .*\(2, 7\)"):
        replace(batch, history_rating=batch.history_rating[:, 1:])
    with pytest.raises(ValueError, match=r"history_item has the shape \(2, 0\)"):
        replace(
            batch,
            **{f"history_{part}": getattr(batch, f"history_{part}")[:, :0] for part in ("item", "rating", "mask")},
        )
    with pytest.raises(ValueError, match=r"retrieved_mask holds torch.int64\. Expected torch.bool"):
        replace(batch, retrieved_mask=batch.retrieved_mask.long())
    with pytest.raises(ValueError, match="a behavior right of padding"):
        replace(batch, history_mask=batch.history_mask.flip(1))


def test_a_batch_moves_whole():
    batch = replace(random_batch(lengths=[3, 5]), retrieved_gap=None)
    moved = batch.to("meta")
    assert isinstance(moved, Batch)
    assert len(moved) == 2
    assert moved.retrieved_gap is None
    assert {moved.fields.device.type, moved.history_mask.device.type, moved.label.device.type} == {"meta"}


# Embeddings.


def test_every_known_code_has_a_row_of_its_own_and_code_0_is_zero():
    embedding = SampleEmbedding(FIELD_SIZES, RATING_VALUES, 3)
    codes = [torch.arange(size) for size in FIELD_SIZES.values()]
    longest = max(FIELD_SIZES.values())
    fields = torch.stack([F.pad(code, (0, longest - len(code))) for code in codes], dim=1)
    rows = embedding.rows.fields(fields)
    found = [row for column, code in zip(rows.T, codes, strict=True) for row in column[1 : len(code)].tolist()]
    ratings = torch.arange(RATING_VALUES)[None]
    found += embedding.rows.ratings(ratings, ratings >= 0)[0, 1:].tolist()
    assert sorted(found) == list(range(1, embedding.table.num_embeddings))
    assert not rows[0].any()
    assert not embedding.table.weight[0].any()


def test_a_behavior_is_its_item_and_its_rating():
    embedding = SampleEmbedding(FIELD_SIZES, RATING_VALUES, 3)
    batch = random_batch(lengths=[3, 0, 7])
    embedded = embedding(batch, with_retrieved=True)
    weight, rows = embedding.table.weight, embedding.rows
    offsets = dict(zip(FIELD_SIZES, [0, 3, 5, 25], strict=True))  # each field has one row fewer than codes
    for field, (name, offset) in enumerate(offsets.items()):
        assert torch.equal(embedded.fields[:, field], weight[batch.fields[:, field] + offset]), name
    assert torch.equal(embedded.item, embedded.fields[:, ITEM_COLUMN])
    assert rows.rating_offset == 33
    for group, found in (("history", embedded.history), ("retrieved", embedded.retrieved)):
        item, rating, mask = (getattr(batch, f"{group}_{part}") for part in ("item", "rating", "mask"))
        expected = weight[item + offsets["item_id"]] + weight[rating + rows.rating_offset]
        assert torch.equal(found, expected * mask[..., None])
    unknown = embedding(replaced(batch, "history_rating", 0, 0, 0)).history[0, 0]
    assert torch.equal(unknown, weight[batch.history_item[0, 0] + offsets["item_id"]])
    assert embedding(batch).retrieved is None


@pytest.mark.parametrize(
    ("column", "code"), [("fields", 21), ("history_item", 21), ("history_rating", 6), ("fields", -1)]
)
def test_a_code_outside_its_vocabulary_is_refused(column, code):
    embedding = SampleEmbedding(FIELD_SIZES, RATING_VALUES, 3)
    place = ITEM_COLUMN if column == "fields" else 0
    with pytest.raises(ValueError, match=rf"outside its vocabulary .*{code}.* Expected 0 to"):
        embedding(replaced(random_batch(lengths=[3, 2]), column, 0, place, code))
    with pytest.raises(ValueError, match=r"fields has the shape \(2, 3\). Expected 4 columns"):
        embedding(replace(random_batch(lengths=[3, 2]), fields=torch.ones(2, 3, dtype=torch.long)))


# Interactions between fields.


def test_pairwise_interactions_are_the_double_sum():
    vectors = torch.randn(3, 5, 4)
    expected = [sum(float(row[i] @ row[j]) for i in range(5) for j in range(i + 1, 5)) for row in vectors]
    close(pairwise_interactions(vectors), expected)
    close(pairwise_interactions(torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])), [11.0 + 17.0 + 39.0])


def test_cross_network_by_hand():
    cross = CrossNetwork(2, 2)
    with torch.no_grad():
        for layer, (weight, bias) in zip(
            cross.layers, [([[1.0, 2.0], [0.0, 1.0]], [1.0, 0.0]), ([[0.0, 1.0], [1.0, 0.0]], [0.0, -1.0])], strict=True
        ):
            layer.weight.copy_(torch.tensor(weight))
            layer.bias.copy_(torch.tensor(bias))
    # x0 = (2, 3); W0 x0 + b0 = (9, 3); x1 = (18, 9) + (2, 3) = (20, 12); W1 x1 + b1 = (12, 19); x2 = (24, 57) + (20, 12)
    close(cross(torch.tensor([[2.0, 3.0]])), [[44.0, 69.0]])


def test_interacting_layer_is_the_equations():
    layer = InteractingLayer(4, 6, heads=2, dropout=0.0)
    query, key, value, residual = layer.projections.weight.chunk(4)
    fields = torch.randn(2, 3, 4)
    found = layer(fields)
    for sample in range(2):
        for m in range(3):
            mixed = []
            for head in (slice(0, 3), slice(3, 6)):
                psi = [(query[head] @ fields[sample, m]) @ (key[head] @ fields[sample, k]) for k in range(3)]
                alpha = torch.stack(psi).exp() / torch.stack(psi).exp().sum()
                mixed.append(sum(alpha[k] * (value[head] @ fields[sample, k]) for k in range(3)))
            close(found[sample, m], torch.relu(torch.cat(mixed) + residual @ fields[sample, m]))


def test_history_is_two_fields_by_hand():
    embedding = SampleEmbedding(FIELD_SIZES, RATING_VALUES, 3)
    torch.nn.init.normal_(embedding.table.weight)
    with torch.no_grad():
        embedding.table.weight[0] = 0
    batch = random_batch(lengths=[3, 0, 5])
    found, embedded = embedding.fields_with_history(batch), embedding(batch)
    num_fields = len(FIELD_SIZES)
    close(found[:, :num_fields], embedded.fields)
    counts = batch.history_mask.sum(dim=1, keepdim=True).clamp(min=1)
    close(found[:, num_fields:].sum(dim=1), embedded.history.sum(dim=1) / counts)  # zero where there is no behavior
    first = embedding.rows.rating_offset
    for sample, length in enumerate([3, 0, 5]):
        codes = batch.history_rating[sample, :length].tolist()
        ratings = [embedding.table.weight[first + code] if code else torch.zeros(3) for code in codes]
        close(found[sample, -1], torch.stack(ratings).mean(dim=0) if ratings else torch.zeros(3))


# Attention from the target.


def test_dice_by_hand():
    dice = Dice(1)
    with torch.no_grad():
        dice.alpha.fill_(0.5)
    s = torch.tensor([[1.0], [3.0]])  # mean 2, variance 1
    p = [1 / (1 + math.exp(1)), 1 / (1 + math.exp(-1))]
    close(dice(s), [[p[0] * 1 + (1 - p[0]) * 0.5], [p[1] * 3 + (1 - p[1]) * 1.5]])
    close(dice.running_mean, [2.0])  # the averages begin with the first batch
    close(dice.running_var, [2.0])  # PyTorch averages the unbiased variance
    dice(torch.tensor([[4.0], [8.0]]))
    close(dice.running_mean, [0.9 * 2 + 0.1 * 6])
    close(dice.running_var, [0.9 * 2 + 0.1 * 8])
    loaded = Dice(1)
    loaded.load_state_dict(dice.state_dict())
    loaded(torch.tensor([[4.0], [8.0]]))
    close(loaded.running_mean, [0.9 * 2.4 + 0.1 * 6])  # a loaded one is not new
    p = 1 / (1 + math.exp(-(4 - 2.4) / math.sqrt(2.6)))
    close(dice.eval()(torch.tensor([[4.0]])), [[4 * (p + (1 - p) * 0.5)]])


@pytest.mark.parametrize("rows", [0, 1])
def test_dice_has_an_answer_where_there_is_no_variance(rows):
    dice = Dice(3)
    close(dice(torch.ones(rows, 3)), dice.eval()(torch.ones(rows, 3)))
    close(dice.running_mean, torch.zeros(3))


@pytest.mark.parametrize("activation", ["dice", "prelu"])
def test_activation_unit_is_the_weighted_sum(activation):
    unit = ActivationUnit(3, (5, 4), activation).eval()
    target, behaviors = torch.randn(3, 3), torch.randn(3, 4, 3)
    found = unit(target, behaviors, MASK)
    for sample, length in enumerate(LENGTHS):
        expected = torch.zeros(3)
        for j in range(length):
            e, v = behaviors[sample, j], target[sample]
            seen = torch.cat([unit.from_behavior.weight, unit.from_target.weight], dim=1) @ torch.cat([e, e * v, v])
            hidden = unit.activation((seen + unit.from_behavior.bias)[None])
            expected = expected + unit.output(unit.mlp(hidden))[0, 0] * e
        close(found[sample], expected)


def test_padding_has_no_part_in_the_statistics_of_the_activation_unit():
    unit = ActivationUnit(3, (5,), "dice")
    unit(torch.randn(3, 3), torch.randn(3, 4, 3).masked_fill(~MASK[..., None], 1e6), MASK)
    assert unit.activation.running_mean.abs().max() < 10


def test_multi_head_target_attention_is_the_equations():
    attention = MultiHeadTargetAttention(3, 5, heads=2, attention_size=4)
    target, items, time = torch.randn(3, 3), torch.randn(3, 4, 3), torch.randn(6, 2)
    bucket = torch.tensor([[5, 0, 0, 0], [0, 0, 0, 0], [1, 2, 1, 1]])  # several behaviors may share one
    found = attention(target, items, time, bucket, MASK)
    behaviors = torch.cat([items, time[bucket]], dim=2)  # z = [e; time]
    for sample, length in enumerate(LENGTHS):
        heads = []
        for head in range(2):
            query = attention.query[head] @ target[sample]
            scores = [(attention.key[head] @ behaviors[sample, j]) @ query for j in range(length)]
            weights = torch.stack(scores).softmax(0) if scores else torch.zeros(0)
            heads.append(weights @ behaviors[sample, :length])
        close(found[sample], torch.cat(heads))


# Sequences.


def test_causal_block_is_the_equations():
    block = CausalBlock(4, heads=2, dropout=0.0)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter)
    x, mask = torch.randn(1, 3, 4), torch.tensor([[False, True, True]])
    found = block(x, causal_mask(mask))
    normed = block.attention_norm(x[0])
    key, value = block.key_value.weight.chunk(2)
    for i in (1, 2):
        mixed = []
        for head in (slice(0, 2), slice(2, 4)):
            query = block.query.weight[head] @ normed[i]
            scores = [query @ (key[head] @ normed[j]) / math.sqrt(2) for j in range(1, i + 1)]
            weights = torch.stack(scores).softmax(0)
            mixed.append(sum(w * (value[head] @ normed[j]) for w, j in zip(weights, range(1, i + 1), strict=True)))
        state = x[0, i] + torch.cat(mixed)
        first, _, second = block.feed_forward
        hidden = torch.relu(first.weight @ block.forward_norm(state) + first.bias)
        close(found[0, i], state + second.weight @ hidden + second.bias)
    close(block(x, causal_mask(mask), last_only=True), found[:, -1:])


def test_a_later_behavior_never_changes_an_earlier_state():
    first, second = CausalBlock(4, heads=1, dropout=0.0), CausalBlock(4, heads=1, dropout=0.0)
    x = torch.randn(1, 5, 4)
    allowed = causal_mask(torch.ones(1, 5, dtype=torch.bool))
    before = second(first(x, allowed), allowed)
    for changed in range(5):
        other = x.clone()
        other[0, changed] = torch.randn(4)
        after = second(first(other, allowed), allowed)
        assert torch.equal(after[0, :changed], before[0, :changed])
        assert (after[0, changed:] - before[0, changed:]).abs().amax(dim=1).min() > 1e-4


def test_causal_mask_of_padding_at_the_left():
    assert causal_mask(torch.tensor([[False, True, True]])).int().tolist() == [[[1, 0, 0], [0, 1, 0], [0, 1, 1]]]


@torch.no_grad()
def test_convolutions_are_plain_loops():
    behaviors = torch.randn(2, 5, 3)
    horizontal, vertical = HorizontalConvolution(5, 3, (1, 2, 5), 4), VerticalConvolution(5, 2)
    found = horizontal(behaviors)
    place = 0
    for convolution, height in zip(horizontal.convolutions, (1, 2, 5), strict=True):
        for k in range(4):
            filter_k = convolution.weight[k].T  # (h, D)
            for sample in range(2):
                windows = [behaviors[sample, i : i + height] for i in range(5 - height + 1)]
                matches = [max(0.0, float((window * filter_k).sum() + convolution.bias[k])) for window in windows]
                close(found[sample, place], max(matches))
            place += 1
    assert found.shape == (2, place)
    expected = [
        [sum(float(vertical.weight[k, i] * row[i, d]) for i in range(5)) for k in range(2) for d in range(3)]
        for row in behaviors
    ]
    close(vertical(behaviors), expected)


def test_pooling_by_hand():
    states = torch.arange(24.0).view(3, 4, 2)
    close(mean_weights(MASK, states.dtype), [[0.5, 0.5, 0.0, 0.0], [0.0] * 4, [0.25] * 4])
    close(last_state(states, MASK), [[2.0, 3.0], [0.0, 0.0], [22.0, 23.0]])
    recent, shown = most_recent(states, MASK, 3)
    close(recent[0], [[0.0, 0.0], [0.0, 1.0], [2.0, 3.0]])
    assert not recent[1].any()
    close(recent[2], states[2, 1:])
    assert shown.int().tolist() == [[0, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert most_recent(states, MASK, 6)[0].shape == (3, 6, 2)
    for length in (1, 3, 4, 6):
        rows, _ = most_recent(states, MASK, length)
        expected = torch.zeros_like(states)
        for sample, count in enumerate(LENGTHS):
            expected[sample, max(count - length, 0) : count] = states[sample, max(count - length, 0) : count]
        close(to_history(rows, MASK), expected)


def test_mlp_is_layer_after_layer():
    mlp = MLP(3, [4, 2], dropout=0.5).eval()
    x = torch.randn(5, 3)
    first, second = (layer for layer in mlp.layers if isinstance(layer, torch.nn.Linear))
    hidden = torch.relu(x @ first.weight.T + first.bias)
    close(mlp(x), torch.relu(hidden @ second.weight.T + second.bias))
    assert Predictor(3, [4])(x).shape == (5,)


def test_a_signal_survives_twelve_layers():
    x = torch.randn(256, 64)
    assert 0.2 < MLP(64, [128] * 12)(x).square().mean().sqrt() < 5
