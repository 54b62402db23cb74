"""SR-GNN against its equations, worked out one history and one node at a time, with the items' numbers in place of their vectors."""

import itertools

import numpy as np
import pytest
import torch

from rella_hub.networks.sequence.srgnn import SRGNN, edges, nodes

WIDTH = 6
HISTORIES = [
    [3],
    [1, 2],
    [1, 2, 1],
    [4, 4, 4],
    [1, 2, 3, 1, 2, 4],  # 1 -> 2 twice
    [5, 1, 5, 1, 5, 2, 2, 0],
]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def linear(layer: torch.nn.Linear, x: np.ndarray) -> np.ndarray:
    bias = 0 if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy() @ x + bias


def gru_cell(cell: torch.nn.GRUCell, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    of_x = cell.weight_ih.detach().numpy() @ x + cell.bias_ih.detach().numpy()
    of_h = cell.weight_hh.detach().numpy() @ h + cell.bias_hh.detach().numpy()
    (r_x, z_x, n_x), (r_h, z_h, n_h) = of_x.reshape(3, -1), of_h.reshape(3, -1)
    z = sigmoid(z_x + z_h)
    return (1 - z) * np.tanh(n_x + sigmoid(r_x + r_h) * n_h) + z * h


def by_hand(model: SRGNN, vectors: np.ndarray, history: list[int]) -> np.ndarray:
    """The state of one history of item numbers, without a matrix of adjacency."""
    hidden = {item: vectors[item] for item in history}
    followed = set(itertools.pairwise(history))
    for _ in range(model.steps):
        heard = {}
        for item in hidden:
            before = [u for u, v in followed if v == item]
            after = [v for u, v in followed if u == item]
            came = sum((linear(model.into, hidden[u]) for u in before), np.zeros(WIDTH)) / max(len(before), 1)
            went = sum((linear(model.out_of, hidden[v]) for v in after), np.zeros(WIDTH)) / max(len(after), 1)
            heard[item] = np.concatenate(
                [came + model.incoming_bias.detach().numpy(), went + model.outgoing_bias.detach().numpy()]
            )
        hidden = {item: gru_cell(model.gate, heard[item], h) for item, h in hidden.items()}
    last = hidden[history[-1]]
    whole = np.zeros(WIDTH)
    for item in history:
        weight = linear(model.weight, sigmoid(linear(model.of_last, last) + linear(model.of_each, hidden[item])))
        whole += weight * hidden[item]
    return linear(model.state, np.concatenate([whole, last]))


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(history) for history in HISTORIES])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    items = torch.zeros(mask.shape, dtype=torch.long)
    items[mask] = torch.tensor([item for history in HISTORIES for item in history])
    return torch.randn(7, WIDTH, generator=torch.Generator().manual_seed(1)), items, mask


@pytest.mark.parametrize("steps", [1, 3])
@torch.no_grad()
def test_states_are_those_of_the_equations(steps):
    torch.manual_seed(0)
    model = SRGNN(WIDTH, steps=steps)
    vectors, items, mask = batch()
    states = model(vectors[items], mask).numpy()
    expected = [by_hand(model, vectors.double().numpy(), history) for history in HISTORIES]
    np.testing.assert_allclose(states, np.stack(expected), rtol=1e-4, atol=1e-5)


def test_the_graph_of_a_history_with_repeats():
    vectors, items, mask = batch()
    node = nodes(vectors[items], mask)
    assert node[4].tolist() == [0, 1, 2, 0, 1, 5, 0, 0]  # 1 2 3 1 2 4, and padding
    incoming, outgoing = edges(node, mask, torch.float32)
    out = torch.zeros(8, 8)
    out[0, 1] = 1  # 1 -> 2, twice and yet once
    out[1, 2] = out[1, 5] = 0.5  # 2 -> 3, 2 -> 4
    out[2, 0] = 1  # 3 -> 1
    assert torch.equal(outgoing[4], out)
    into = torch.zeros(8, 8)
    into[1, 0] = into[2, 1] = into[5, 1] = into[0, 2] = 1
    assert torch.equal(incoming[4], into)
    assert outgoing[3].count_nonzero() == 1  # 4 -> 4, an edge to itself
    assert outgoing[3, 0, 0] == 1


def test_gradients_reach_every_weight_and_equal_vectors_are_one_node_in_training_too():
    torch.manual_seed(0)
    model = SRGNN(WIDTH).train()
    vectors, items, mask = batch()
    table = torch.nn.Embedding.from_pretrained(vectors, freeze=False)
    model(table(items), mask).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())
    assert table.weight.grad[:6].any(dim=1).all()
    assert not table.weight.grad[6].any()  # an item of no history


@pytest.mark.parametrize("steps", [0, 1.5, "2", True])
def test_steps_are_a_whole_number(steps):
    with pytest.raises(ValueError, match=r"steps is .*Expected a whole number of at least 1"):
        SRGNN(WIDTH, steps=steps)
