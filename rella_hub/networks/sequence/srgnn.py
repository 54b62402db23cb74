"""SRGNN: the history as a graph of its distinct behaviors, read by a gated graph network; attention over it is the user.

    a_v  = [A_in (H W_in + b_in) ; A_out (H W_out + b_out)]     A_out: an edge u -> v wherever v came right after u, each edge once,
    h_v' = GRUCell(a_v, h_v)                                    a row divided by the edges that leave it; A_in: that enter it
    w_i  = q . sigmoid(W_1 h_n + W_2 h_i)                       of the i-th of n behaviors; no softmax
    s    = W_3 [sum_i w_i h_i ; h_n]

Source: Wu et al., Session-based Recommendation with Graph Neural Networks (AAAI 2019), equations 1 to 7; published as SR-GNN.

An edge that a history repeats. Paper: counts as often as it occurs. Released code and RecBole: once. Ours: once, because that is
what the published figures were computed with. The last layer has [local ; global] in the paper, the released order here.

An encoder knows no items: behaviors are one node where their vectors are equal, which those of one item are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rella_hub.networks.layers.options import check_size
from rella_hub.networks.layers.pooling import last_state


class SRGNN(nn.Module):
    """`steps` is how often every node hears from its neighbors. All weights begin in U(-1/sqrt(D), 1/sqrt(D)), as released."""

    def __init__(self, embedding_size: int, *, steps: int = 1):
        super().__init__()
        check_size("steps", steps)
        self.state_size, self.steps = embedding_size, steps
        self.into = nn.Linear(embedding_size, embedding_size)  # W_in, b_in
        self.out_of = nn.Linear(embedding_size, embedding_size)  # W_out, b_out
        self.incoming_bias = nn.Parameter(torch.empty(embedding_size))  # behind A_in and A_out, as in the released code
        self.outgoing_bias = nn.Parameter(torch.empty(embedding_size))
        self.gate = nn.GRUCell(2 * embedding_size, embedding_size)
        self.of_last = nn.Linear(embedding_size, embedding_size)  # W_1, and the bias of the attention
        self.of_each = nn.Linear(embedding_size, embedding_size, bias=False)  # W_2
        self.weight = nn.Linear(embedding_size, 1, bias=False)  # q
        self.state = nn.Linear(2 * embedding_size, embedding_size)  # W_3
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(embedding_size**-0.5), embedding_size**-0.5)

    def forward(self, behaviors: Tensor, mask: Tensor) -> Tensor:
        node = nodes(behaviors, mask)  # (B, T)
        incoming, outgoing = edges(node, mask, behaviors.dtype)
        hidden = behaviors * mask.unsqueeze(2)  # a node lies where it is met first
        for _ in range(self.steps):
            heard = torch.cat(
                [
                    incoming @ self.into(hidden) + self.incoming_bias,
                    outgoing @ self.out_of(hidden) + self.outgoing_bias,
                ],
                dim=2,
            )  # (B, T, 2D)
            hidden = self.gate(heard.flatten(0, 1), hidden.flatten(0, 1)).view_as(hidden)
        of_behavior = hidden.gather(1, node.unsqueeze(2).expand_as(hidden))  # (B, T, D), of each behavior's node
        last = last_state(of_behavior, mask)  # (B, D)
        weights = self.weight(torch.sigmoid(self.of_last(last).unsqueeze(1) + self.of_each(of_behavior)))  # (B, T, 1)
        whole = (weights * of_behavior * mask.unsqueeze(2)).sum(dim=1)
        return self.state(torch.cat([whole, last], dim=1)) * mask.any(dim=1, keepdim=True)


def nodes(behaviors: Tensor, mask: Tensor) -> Tensor:
    """(B, T) of each behavior the first place with the same vector, which is its node's; 0 for padding."""
    length = behaviors.shape[1]
    same = torch.stack(
        [(behaviors == behaviors[:, place : place + 1]).all(dim=2) for place in range(length)], dim=2
    )  # (B, T, T), one place at a time: (B, T, T, D) would be many times as large
    same &= mask.unsqueeze(1)
    return same.int().argmax(dim=2) * mask  # the first of equal maxima


def edges(node: Tensor, mask: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(B, T, T) each: A_in and A_out. A row of a place that is no node, or has no such edges, is zero."""
    is_node = nn.functional.one_hot(node, node.shape[1]).to(dtype) * mask.unsqueeze(2)  # (B, T, T)
    followed = is_node[:, :-1].transpose(1, 2) @ is_node[:, 1:]  # (B, T, T): how often v came right after u
    followed = (followed > 0).to(dtype)
    outgoing = followed / followed.sum(dim=2, keepdim=True).clamp(min=1)
    entering = followed.transpose(1, 2)
    return entering / entering.sum(dim=2, keepdim=True).clamp(min=1), outgoing
