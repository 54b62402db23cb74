"""The sequence encoders: the state of a history, whatever it is used for, and the CTR models made of them."""

import sys

import pytest
import torch
import torch.nn.functional as F
from ctr_batches import FIELD_SIZES, RATING_VALUES, random_batch

from rella_hub.networks import sequence
from rella_hub.networks.ctr import load_model_class
from rella_hub.networks.layers.embedding import SampleEmbedding
from rella_hub.networks.layers.mlp import Predictor
from rella_hub.networks.layers.sequence import SequenceModel
from rella_hub.networks.sequence import encoder_names, load_encoder_class

NAMES = ["caser", "gru4rec", "sasrec", "srgnn"]
CTR_MODELS = ["caser", "gru4rec", "sasrec"]
WITH_STATES = ["gru4rec", "sasrec"]
WIDTH, LENGTHS = 8, [3, 0, 7, 1, 6]
OPTIONS = {
    "caser": {"history_length": 5, "heights": [1, 2, 3], "state_size": 6},
    "gru4rec": {"gru_layers": 2, "gru_size": 10},
    "sasrec": {"history_length": 5, "heads": 2},
}
MASK = torch.arange(7) < torch.tensor(LENGTHS)[:, None]
FEED_FORWARD = [f"{norm}.{kind}" for norm in ("attention_norm", "forward_norm") for kind in ("bias", "weight")] + [
    *(f"feed_forward.{layer}.{kind}" for layer in (0, 2) for kind in ("bias", "weight")),
    *("query.weight", "key_value.weight"),
]
WEIGHTS = {  # of the encoder in a saved CTR model with the options above: names that saved models have had from the first
    "caser": [
        *(f"horizontal.convolutions.{n}.{kind}" for n in range(3) for kind in ("bias", "weight")),
        *("vertical.weight", "state.layers.0.bias", "state.layers.0.weight"),
    ],
    "gru4rec": [
        f"gru.{kind}_l{layer}" for layer in (0, 1) for kind in ("bias_hh", "bias_ih", "weight_hh", "weight_ih")
    ],
    "sasrec": [
        "position",
        "norm.bias",
        "norm.weight",
        *(f"blocks.{n}.{name}" for n in (0, 1) for name in FEED_FORWARD),
    ],
}


def encoder_of(name: str, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    encoder = load_encoder_class(name)(WIDTH, **(OPTIONS.get(name, {}) | options))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return encoder.eval()


def random_behaviors(seed: int = 0) -> torch.Tensor:
    return torch.randn(len(LENGTHS), 7, WIDTH, generator=torch.Generator().manual_seed(seed)) * MASK.unsqueeze(2)


def with_nonsense(behaviors: torch.Tensor) -> torch.Tensor:
    return torch.where(MASK.unsqueeze(2), behaviors, torch.full_like(behaviors, 1e3))


def close(first, second) -> None:
    torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


def test_every_encoder_file_is_tested_here():
    assert encoder_names() == NAMES
    assert [name for name in NAMES if hasattr(load_encoder_class(name), "states")] == WITH_STATES
    assert [load_encoder_class(name).__name__ for name in NAMES] == ["Caser", "GRU4Rec", "SASRec", "SRGNN"]
    with pytest.raises(
        ValueError, match=r"There is no sequence encoder 'narm'\. There are: caser, gru4rec, sasrec, srgnn"
    ):
        load_encoder_class("narm")


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_a_state_is_of_the_real_behaviors(name):
    encoder, behaviors = encoder_of(name), random_behaviors()
    state = encoder(behaviors, MASK)
    assert state.shape == (len(LENGTHS), encoder.state_size)
    close(state, encoder(with_nonsense(behaviors), MASK))
    alone = [
        encoder(behaviors[row : row + 1, : max(n, 1)], MASK[row : row + 1, : max(n, 1)])
        for row, n in enumerate(LENGTHS)
    ]
    close(state, torch.cat(alone))
    other = behaviors.clone()
    other[tuple(MASK.nonzero()[-1])] = torch.randn(WIDTH)  # the last behavior of the last history
    close(state[:-1], encoder(other, MASK)[:-1])
    assert (state[-1] - encoder(other, MASK)[-1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", WITH_STATES)
@torch.no_grad()
def test_the_last_of_the_states_is_the_state(name):
    encoder, behaviors = encoder_of(name), random_behaviors()
    states = encoder.states(with_nonsense(behaviors), MASK)
    assert states.shape == (*MASK.shape, encoder.state_size)
    last = [states[row, max(n - 1, 0)] for row, n in enumerate(LENGTHS)]
    close(torch.stack(last), encoder(behaviors, MASK))
    assert not states[~MASK].any()
    if name == "sasrec":  # which looks at the last five of seven
        assert not states[2, :2].any()
        assert states[2, 2:].any(dim=1).all()


@pytest.mark.parametrize("name", WITH_STATES)
@torch.no_grad()
def test_a_state_is_that_of_the_history_up_to_there(name):
    """Without positions, which SASRec counts from the end of what it is given."""
    encoder, behaviors = encoder_of(name, **({"history_length": 7} if name == "sasrec" else {})), random_behaviors()
    if name == "sasrec":
        encoder.position.zero_()
    states = encoder.states(behaviors, MASK)
    for count in range(1, 8):
        until = MASK & (torch.arange(7) < count)
        there = MASK[:, count - 1]
        close(states[there, count - 1], encoder(behaviors, until)[there])


@pytest.mark.parametrize("name", WITH_STATES)
def test_the_next_item_is_learned_without_a_rating(name):
    """Items in a circle, 0 after 4; what is scored is the state against the embedding of every item."""
    encoder = encoder_of(name, **({"gru_size": WIDTH} if name == "gru4rec" else {"history_length": 7})).train()
    items = torch.nn.Embedding(5, WIDTH)
    histories = (torch.arange(5)[:, None] + torch.arange(8)) % 5
    mask = torch.ones(5, 7, dtype=torch.bool)
    optimizer = torch.optim.Adam([*encoder.parameters(), *items.parameters()], lr=0.02)
    for _ in range(60):
        scores = encoder.states(items(histories[:, :-1]), mask) @ items.weight.T  # (B, T, D) (D, V) -> (B, T, V)
        loss = F.cross_entropy(scores.flatten(0, 1), histories[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state = encoder.eval()(items(histories[:, :-1]), mask)
    assert (state @ items.weight.T).argmax(dim=1).tolist() == histories[:, -1].tolist()


@pytest.mark.parametrize("name", CTR_MODELS)
def test_a_saved_model_names_the_weights_of_its_encoder_as_ever(name, tmp_path):
    model_class = load_model_class(name)
    torch.manual_seed(3)
    model = model_class(FIELD_SIZES, RATING_VALUES, embedding_size=WIDTH, hidden_sizes=[4], **OPTIONS[name])
    state = model.state_dict()
    beside = [
        "embedding.table.weight",
        *(f"predictor.{n}.{k}" for n in ("mlp.layers.0", "output") for k in ("bias", "weight")),
    ]
    assert sorted(state) == sorted([*WEIGHTS[name], *beside])
    other = model_class(FIELD_SIZES, RATING_VALUES, embedding_size=WIDTH, hidden_sizes=[4], **OPTIONS[name])
    other.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({key: value for key, value in state.items() if key != WEIGHTS[name][0]})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        other.load_state_dict(state | {"gru.weight": torch.zeros(1)})


@pytest.mark.parametrize("name", CTR_MODELS)
def test_a_seed_gives_the_weights_that_it_gave(name):
    """Drawn for the embeddings first, then for the encoder, then for the head."""
    torch.manual_seed(3)
    model = load_model_class(name)(FIELD_SIZES, RATING_VALUES, embedding_size=WIDTH, hidden_sizes=[4], **OPTIONS[name])
    torch.manual_seed(3)
    embedding = SampleEmbedding(FIELD_SIZES, RATING_VALUES, WIDTH)
    encoder = load_encoder_class(name)(WIDTH, **OPTIONS[name])
    predictor = Predictor(encoder.state_size + len(FIELD_SIZES) * WIDTH, [4])
    for part in (embedding, encoder, predictor):
        of_model = getattr(model, {SampleEmbedding: "embedding", Predictor: "predictor"}.get(type(part), "encoder"))
        assert all(torch.equal(value, of_model.state_dict()[key]) for key, value in part.state_dict().items())


MEANS = '''"""Means: the mean of the behaviors."""

from torch import nn

from rella_hub.networks.layers.pooling import mean_weights


class Means(nn.Module):
    def __init__(self, embedding_size, *, state_size=5):
        super().__init__()
        self.state_size = state_size
        self.projection = nn.Linear(embedding_size, state_size)

    def forward(self, behaviors, mask):
        return self.projection((mean_weights(mask, behaviors.dtype).unsqueeze(2) * behaviors).sum(dim=1))
'''


def test_a_sequence_encoder_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "means.py").write_text(MEANS, encoding="utf-8")
    monkeypatch.setattr(sequence, "__path__", [*sequence.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "rella_hub.networks.sequence.means", raising=False)
    assert encoder_names() == sorted([*NAMES, "means"])
    test_a_state_is_of_the_real_behaviors("means")
    embedding = SampleEmbedding(FIELD_SIZES, RATING_VALUES, WIDTH)
    model = SequenceModel(embedding, load_encoder_class("means")(WIDTH), [4], 0.0)
    assert model(random_batch(lengths=[3, 0])).shape == (2,)
    assert "projection.weight" in model.state_dict()


def test_weights_of_an_encoder_take_no_name_of_the_model():
    encoder = encoder_of("gru4rec")
    encoder.embedding = torch.nn.Embedding(3, WIDTH)
    with pytest.raises(AssertionError, match=r"GRU4Rec has weights called \{'embedding'\}"):
        SequenceModel(SampleEmbedding(FIELD_SIZES, RATING_VALUES, WIDTH), encoder, [4], 0.0)
