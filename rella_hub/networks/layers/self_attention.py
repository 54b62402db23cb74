"""Attention among equals: the interacting layer of AutoInt over fields, the causal block of SASRec over behaviors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rella_hub.networks.layers.options import check_dropout, check_heads


class InteractingLayer(nn.Module):
    """(B, F, D) -> (B, F, attention_size): each field as a mixture of all fields, head by head, plus itself.

        alpha_mk = softmax_k <W_Q e_m, W_K e_k>      (no division by the root of the width)
        e_m'     = ReLU( [sum_k alpha_mk W_V e_k over the heads, side by side] + W_Res e_m )

    Source: Song et al., AutoInt (CIKM 2019), section 4.4, equations 5 to 8.
    """

    def __init__(self, width: int, attention_size: int, heads: int, dropout: float):
        super().__init__()
        check_heads("attention_size", attention_size, heads)
        check_dropout(dropout)
        self.heads = heads
        self.dropout = dropout
        self.projections = nn.Linear(width, 4 * attention_size, bias=False)  # W_Q, W_K, W_V, W_Res
        for weight in self.projections.weight.detach().chunk(4):
            nn.init.xavier_uniform_(weight)

    def forward(self, fields: Tensor) -> Tensor:
        *projected, residual = self.projections(fields).chunk(4, dim=2)
        query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in projected)  # (B, H, F, d)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout, scale=1.0)
        return F.relu(mixed.transpose(1, 2).flatten(2) + residual)  # (B, H, F, d) -> (B, F, H * d)


class CausalBlock(nn.Module):
    """(B, L, D), (B, L, L) -> (B, L, D): self-attention, then a feed-forward network, each as x + Dropout(g(LayerNorm(x))).

        SA(x)  = softmax(x W_Q (x W_K)^T / sqrt(d)) x W_V      FFN(x) = ReLU(x W_1 + b_1) W_2 + b_2

    Source: Kang and McAuley, SASRec (ICDM 2018), sections III-B and III-C, equations 2 to 5. Paper: g sees LayerNorm(x).
    Released code: only the queries do, keys and values are made of x. Ours: the paper.
    """

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        check_heads("embedding_size", width, heads)
        check_dropout(dropout)
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width, bias=False)  # W_Q
        self.key_value = nn.Linear(width, 2 * width, bias=False)  # W_K, W_V
        for weight in (self.query.weight, *self.key_value.weight.detach().chunk(2)):
            nn.init.xavier_uniform_(weight)
        self.forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, allowed: Tensor, last_only: bool = False) -> Tensor:
        """`last_only`: (B, 1, D), the last row alone, for the block whose other rows nobody reads."""
        normed = self.attention_norm(x)
        if last_only:
            x, allowed = x[:, -1:], allowed[:, -1:]
        projected = self.query(normed[:, -x.shape[1] :]), *self.key_value(normed).chunk(2, dim=2)
        query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in projected)  # (B, H, L, d)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed.unsqueeze(1))
        x = x + self.dropout(mixed.transpose(1, 2).flatten(2))  # (B, H, L, d) -> (B, L, D)
        return x + self.dropout(self.feed_forward(self.forward_norm(x)))


def causal_mask(mask: Tensor) -> Tensor:
    """(B, L) -> (B, L, L): row i may look at the real behaviors up to i, and at itself, so that no softmax is over nothing."""
    length = mask.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool, device=mask.device).tril()
    itself = torch.eye(length, dtype=torch.bool, device=mask.device)
    return (earlier & mask.unsqueeze(1)) | itself
