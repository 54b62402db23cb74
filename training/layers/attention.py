"""Attention from the target item to behaviors: the local activation unit of DIN, and the multi-head attention of SIM.

DIN: Zhou et al., Deep Interest Network (KDD 2018), section 4.3, equation 3: v_U(A) = sum_j a(e_j, v_A) e_j, where a is a small
feed-forward network whose output is not normalized, so that the length of v_U says how strong an interest is.

SIM: Pi et al., Search-based User Interest Modeling (CIKM 2020), section 3.3: z_j = [e_j; time embedding of j],
att_i = softmax_j(<W_bi z_j, W_ai e_A>), head_i = sum_j att_ij z_j, and the heads side by side.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.layers.activation import activation_layer
from training.layers.mlp import MLP
from training.layers.options import check_size, check_sizes


class ActivationUnit(nn.Module):
    """The interest of DIN: (B, D) target, (B, T, D) behaviors, (B, T) mask -> (B, D).

    Paper: the unit sees behavior, target and their outer product. Released code: behavior, target, their difference and their
    element-wise product. Ours: behavior, target and element-wise product. Why: an outer product has D^2 entries a behavior; a
    difference is a linear map of the two, which the linear layer above learns anyway.

    Only real behaviors pass through the unit, so padding costs nothing and has no part in the statistics of Dice.
    """

    def __init__(self, width: int, hidden_sizes: Sequence[int], activation: str):
        super().__init__()
        check_sizes("attention_sizes", hidden_sizes)
        self.from_target = nn.Linear(width, hidden_sizes[0], bias=False)
        self.from_behavior = nn.Linear(2 * width, hidden_sizes[0])
        self.activation = activation_layer(activation, hidden_sizes[0])
        deeper = hidden_sizes[1:]
        self.mlp = MLP(hidden_sizes[0], deeper, activation=activation) if deeper else nn.Identity()
        self.output = nn.Linear(hidden_sizes[-1], 1)

    def forward(self, target: Tensor, behaviors: Tensor, mask: Tensor) -> Tensor:
        lengths = mask.sum(dim=1)
        places = mask.flatten().nonzero().squeeze(1)  # (N,) of the B * T places, those with a behavior
        behavior = behaviors.flatten(0, 1).index_select(0, places)  # (N, D)
        target_of = torch.arange(len(mask), device=mask.device).repeat_interleave(lengths)  # (N,)
        product = behavior * target.index_select(0, target_of)
        hidden = self.from_behavior(torch.cat([behavior, product], dim=1))
        hidden = hidden + self.from_target(target).index_select(0, target_of)
        weight = self.output(self.mlp(self.activation(hidden))).squeeze(1)  # (N, 1) -> (N,)
        weights = weight.new_zeros(mask.numel()).index_copy(0, places, weight).view_as(mask)
        return torch.bmm(weights.unsqueeze(1), behaviors).squeeze(1)  # (B, 1, T) (B, T, D) -> (B, D)


class MultiHeadTargetAttention(nn.Module):
    """The long-term interest of SIM: (B, D) target, (B, R, Z) behaviors, (B, R) mask -> (B, heads * Z).

    <W_b z, W_a e> = <z, W_b^T W_a e>, so the target is carried over to the behaviors' space once a head instead of each behavior
    to a space between them.
    """

    def __init__(self, target_size: int, behavior_size: int, heads: int, attention_size: int):
        super().__init__()
        check_size("heads", heads)
        check_size("attention_size", attention_size)
        self.query = nn.Parameter(torch.empty(heads, attention_size, target_size))  # W_a
        self.key = nn.Parameter(torch.empty(heads, attention_size, behavior_size))  # W_b
        for head in range(heads):
            nn.init.xavier_uniform_(self.query[head])
            nn.init.xavier_uniform_(self.key[head])

    def forward(self, target: Tensor, behaviors: Tensor, mask: Tensor) -> Tensor:
        query = torch.einsum("bd,had->bha", target, self.query)
        query = torch.einsum("bha,haz->bhz", query, self.key)
        scores = query @ behaviors.transpose(1, 2)  # (B, H, Z) (B, Z, R) -> (B, H, R)
        scores = scores.masked_fill(~mask.unsqueeze(1), torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=2) * mask.unsqueeze(1)  # no behavior at all gives zero, not a mean of padding
        return (weights @ behaviors).flatten(1)  # (B, H, Z) -> (B, H * Z)
