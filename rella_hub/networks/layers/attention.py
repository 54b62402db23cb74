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

from rella_hub.networks.layers.activation import activation_layer
from rella_hub.networks.layers.mlp import MLP
from rella_hub.networks.layers.options import check_size, check_sizes


class ActivationUnit(nn.Module):
    """The interest of DIN: (B, D) target, (B, T, D) behaviors, (B, T) mask -> (B, D).

    Paper: the unit sees behavior, target and their outer product. Released code: behavior, target, their difference and their
    element-wise product. Ours: behavior, target and element-wise product. Why: an outer product has D^2 entries a behavior; a
    difference is a linear map of the two, which the linear layer above learns anyway.

    Only real behaviors pass through the activation, so padding has no part in the statistics of Dice.
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
        # <w, e * v_A> = <w * v_A, e>: the target goes into the weights, once a sample instead of once a behavior.
        on_behavior, on_product = self.from_behavior.weight.t().split(behaviors.shape[2])  # (D, H) each
        weight = torch.addcmul(on_behavior, on_product, target.unsqueeze(2))  # (B, D, H)
        bias = self.from_target(target) + self.from_behavior.bias  # (B, H)
        hidden = torch.bmm(behaviors, weight) + bias.unsqueeze(1)  # (B, T, D) -> (B, T, H)
        places = mask.flatten().nonzero().squeeze(1)  # (N,) of the B * T places, those with a behavior
        hidden = hidden.flatten(0, 1).index_select(0, places)  # (N, H)
        weight = self.output(self.mlp(self.activation(hidden))).squeeze(1)  # (N, 1) -> (N,)
        weights = weight.new_zeros(mask.numel()).index_copy(0, places, weight).view_as(mask)
        return torch.bmm(weights.unsqueeze(1), behaviors).squeeze(1)  # (B, 1, T) (B, T, D) -> (B, D)


class MultiHeadTargetAttention(nn.Module):
    """The long-term interest of SIM: (B, D) target, (B, R, D) behaviors, (B, R) buckets of time and mask -> (B, heads * 2D).

    <W_b z, W_a e> = <z, W_b^T W_a e>, so the target is carried over to the behaviors' space once a head instead of each behavior
    to a space between them. There are few buckets, so the part of z that is time is scored, and summed, once a bucket.
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

    def forward(self, target: Tensor, behaviors: Tensor, time: Tensor, bucket: Tensor, mask: Tensor) -> Tensor:
        """time: (G, D) the vector of each bucket."""
        query = torch.einsum("bd,had->bha", target, self.query)
        query = torch.einsum("bha,haz->bhz", query, self.key)
        on_behavior, on_time = query.split((behaviors.shape[2], time.shape[1]), dim=2)  # (B, H, D) each
        places = bucket.unsqueeze(1).expand(-1, query.shape[1], -1)  # (B, H, R)
        scores = on_behavior @ behaviors.transpose(1, 2) + (on_time @ time.T).gather(2, places)  # (B, H, R)
        scores = scores.masked_fill(~mask.unsqueeze(1), torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=2) * mask.unsqueeze(1)  # no behavior at all gives zero, not a mean of padding
        by_bucket = weights.new_zeros(*query.shape[:2], len(time)).scatter_add(2, places, weights)  # (B, H, G)
        return torch.cat([weights @ behaviors, by_bucket @ time], dim=2).flatten(1)  # (B, H, 2D) -> (B, H * 2D)
