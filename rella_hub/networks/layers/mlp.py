"""The multilayer perceptron under most models: a^(l+1) = activation(W a^(l) + b), with dropout after each layer.

Weights start as He et al. (2015) derive for rectifiers, so that the signal survives the twelve layers that ReLLa's grids reach.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from rella_hub.networks.layers.activation import activation_layer
from rella_hub.networks.layers.options import check_dropout, check_sizes


class MLP(nn.Module):
    """(N, input_size) -> (N, output_size), where output_size is the last of `hidden_sizes`."""

    def __init__(
        self,
        input_size: int,
        hidden_sizes: Sequence[int],
        dropout: float = 0.0,
        activation: str = "relu",
    ):
        super().__init__()
        check_sizes("hidden_sizes", hidden_sizes)
        check_dropout(dropout)
        layers: list[nn.Module] = []
        for width in hidden_sizes:
            layers += [_linear(input_size, width), activation_layer(activation, width)]
            if dropout:
                layers.append(nn.Dropout(dropout))
            input_size = width
        self.layers = nn.Sequential(*layers)
        self.output_size = input_size

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Predictor(nn.Module):
    """An MLP and a last linear layer: (B, input_size) -> (B,) logits."""

    def __init__(
        self,
        input_size: int,
        hidden_sizes: Sequence[int],
        dropout: float = 0.0,
        activation: str = "relu",
    ):
        super().__init__()
        self.mlp = MLP(input_size, hidden_sizes, dropout, activation)
        self.output = nn.Linear(self.mlp.output_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.mlp(x)).squeeze(-1)  # (B, 1) -> (B,)


def _linear(input_size: int, output_size: int) -> nn.Linear:
    layer = nn.Linear(input_size, output_size)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer
