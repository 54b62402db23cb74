"""Activations: ReLU, PReLU and Dice.

Dice is a PReLU whose corner moves with the data. Source: Zhou et al., Deep Interest Network (KDD 2018), section 5.2:

    f(s) = p(s) s + (1 - p(s)) alpha s,   p(s) = sigmoid((s - E[s]) / sqrt(Var[s] + 1e-8))

with the mean and variance of the mini-batch in training and their moving averages afterwards. So a model with Dice is the
same function of a sample alone and in a batch only in evaluation mode.

The averages begin with the first batch, not with a mean of 0 and a variance of 1: few-shot training has few steps, and after twenty
of them an eighth of the average would still be what nobody has seen.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rella_hub.networks.layers.options import check_choice

ACTIVATIONS = ("relu", "prelu", "dice")
EPSILON = 1e-8


class Dice(nn.Module):
    """(N, width) -> (N, width). alpha starts at 0, as in the authors' code (the paper does not say)."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, momentum: float = 0.1):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self._may_be_new = True

    def forward(self, s: Tensor) -> Tensor:
        # One row has no variance: a last batch of one sample, or one behavior, is judged by the moving averages.
        from_batch = self.training and len(s) > 1
        momentum = 1.0 if from_batch and self._is_new() else self.momentum
        centered = F.batch_norm(
            s, self.running_mean, self.running_var, training=from_batch, momentum=momentum, eps=EPSILON
        )
        return s * torch.lerp(self.alpha, torch.ones_like(self.alpha), torch.sigmoid(centered))

    def _is_new(self) -> bool:
        """Whether no batch has come yet, by the averages themselves: those of a loaded model tell, too. Looks at them once."""
        new = self._may_be_new and not self.running_mean.any() and bool(self.running_var.eq(1).all())
        self._may_be_new = False
        return new


def activation_layer(name: str, width: int) -> nn.Module:
    check_choice("activation", name, ACTIVATIONS)
    if name == "dice":
        return Dice(width)
    return nn.PReLU(width) if name == "prelu" else nn.ReLU()
