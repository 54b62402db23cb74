"""CFLoRA against the equation by hand, in three number formats; what W = I, a diagonal W and blocks give; soft prompts' places."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from rella_hub.language_models import cflora
from rella_hub.language_models.cflora import Gate, Gates
from rella_hub.prompts.pointwise import mark_items
from rella_hub.systems.rellax import options

RANK, HIDDEN, ALPHA = 3, 5, 6
IDS = torch.arange(12).reshape(2, 6)


def tuned(seed: int = 0, **lora):
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=40, num_key_value_heads=2, **sizes))
    config = {"r": RANK, "lora_alpha": ALPHA, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": False}
    return get_peft_model(model, LoraConfig(**(config | lora))).eval()


def gated(model, weights) -> Gates:
    """Gates whose W is the given (r, r), or that of each sample (B, r, r), whatever the hidden state."""
    gates = Gates(model, HIDDEN, "identity")
    for gate in gates.of_layer.values():
        gate.forward = lambda hidden: torch.as_tensor(weights, dtype=torch.float32).expand(len(hidden), -1, -1)
    gates.see(torch.zeros(len(IDS), HIDDEN))
    return gates


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits


def layers_of(model):
    return dict(cflora.lora_layers(model)).values()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_gated_layer_is_the_equation(dtype):
    """y = W0 x + (alpha / r) B ((A x) W(s)), token by token with numpy, W(s) from the MLP by hand."""
    model = tuned()
    layer = next(iter(layers_of(model))).to(dtype)
    gates = Gates(model, HIDDEN, "released")
    hidden, x = torch.randn(2, HIDDEN), torch.randn(2, 4, 16).to(dtype)
    gates.see(hidden)
    with torch.no_grad():
        found = layer(x).double().numpy()
    gate = next(iter(gates.of_layer.values()))
    a, b, w0 = (
        one.weight.detach().double().numpy() for one in (layer.lora_A.default, layer.lora_B.default, layer.base_layer)
    )
    normed = (hidden - hidden.mean(1, keepdim=True)) / torch.sqrt(hidden.var(1, unbiased=False, keepdim=True) + 1e-5)
    first, last = gate.layers[1], gate.layers[3]
    inner = nn.functional.gelu(normed @ first.weight.T + first.bias)
    w = (inner @ last.weight.T + last.bias).detach().double().numpy().reshape(2, RANK, RANK)
    tolerance = {torch.float64: 1e-5, torch.float32: 1e-5, torch.bfloat16: 5e-2}[dtype]
    for sample in range(2):
        for token in range(4):
            one = x[sample, token].double().numpy()
            by_hand = w0 @ one + ALPHA / RANK * (b @ ((a @ one) @ w[sample]))
            np.testing.assert_allclose(found[sample, token], by_hand, atol=tolerance * max(1, abs(by_hand).max()))


def test_a_gate_of_the_identity_is_lora_to_the_last_bit():
    model = tuned()
    alone = logits(model)
    gated(model, torch.eye(RANK))
    assert torch.equal(logits(model), alone)


def test_gates_that_start_at_the_identity_are_lora_whatever_the_hidden_state():
    model = tuned()
    alone = logits(model)
    gates = Gates(model, HIDDEN, "identity")
    gates.see(torch.randn(2, HIDDEN) * 100)
    assert torch.equal(logits(model), alone)
    loss = model(input_ids=IDS, labels=IDS).loss
    loss.backward()
    assert all(
        gate.layers[3].weight.grad.abs().max() > 0 for gate in gates.of_layer.values()
    )  # and they learn from there


def test_gates_that_start_as_released_scramble_what_the_adapter_knows():
    model = tuned()
    alone = logits(model)
    Gates(model, HIDDEN, "released").see(torch.randn(2, HIDDEN))
    assert (logits(model) - alone).abs().max() > 1e-3


@given(st.lists(st.floats(-3, 3, width=32), min_size=RANK, max_size=RANK))
def test_a_diagonal_gate_weighs_the_rank_one_parts(weights):
    """Against LoRA whose rows of A are multiplied by them."""
    model, other = tuned(), tuned()
    gated(model, torch.diag(torch.tensor(weights)))
    for layer in layers_of(other):
        layer.lora_A.default.weight.data *= torch.tensor(weights)[:, None]
    torch.testing.assert_close(logits(model), logits(other), atol=1e-5, rtol=1e-5)


def test_one_hot_blocks_choose_an_adapter_for_each_sample():
    """A mixture of two LoRAs of ranks 1 and 2, of which each sample takes one: as if each had been read by that LoRA alone."""
    model = tuned()
    blocks = torch.zeros(2, RANK, RANK)
    blocks[0, 0, 0] = 1
    blocks[1, 1:, 1:] = torch.eye(2)
    gated(model, blocks)
    together = logits(model)
    for sample, kept in enumerate(([0], [1, 2])):
        alone = tuned()
        for layer in layers_of(alone):
            left_out = [part for part in range(RANK) if part not in kept]
            layer.lora_A.default.weight.data[left_out] = 0
        torch.testing.assert_close(together[sample], logits(alone)[sample], atol=1e-5, rtol=1e-5)


def test_each_sample_has_its_own_gate():
    model = tuned()
    gates, hidden = Gates(model, HIDDEN, "released"), torch.randn(2, HIDDEN)
    gates.see(hidden)
    together = logits(model)
    for sample in range(2):
        gates.see(hidden[sample : sample + 1])
        with torch.no_grad():
            alone = model(input_ids=IDS[sample : sample + 1], use_cache=False).logits
        torch.testing.assert_close(together[sample : sample + 1], alone, atol=1e-5, rtol=1e-5)


def test_gates_pass_gradients_through_activations_that_are_computed_again():
    plain, again = tuned(), tuned()
    again.enable_input_require_grads()
    again.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
    found = []
    for model in (plain, again):
        torch.manual_seed(1)
        gates = Gates(model.train(), HIDDEN, "released")
        gates.see(torch.ones(2, HIDDEN))
        model(input_ids=IDS, labels=IDS).loss.backward()
        found.append([weight.grad for weight in gates.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_a_gate_has_the_released_size():
    assert sum(weight.numel() for weight in Gate(64, 8, "released").parameters()) == 16_704


def test_layers_without_plain_lora_are_refused():
    with pytest.raises(ValueError, match="no plain LoRA"):
        Gates(tuned(use_dora=True), HIDDEN, "identity")
    with pytest.raises(ValueError, match="expected one of identity, released"):
        Gates(tuned(), HIDDEN, "zero")


def test_the_options_know_the_starts_of_gates():
    assert options.STARTS == cflora.STARTS


PROMPT = (
    'She has watched these movies, the oldest first, and rated each one:\n0. "1. Up" (2009) (4 stars)\n1. Heat (1 star)\n'
    'Will she like the movie "2. Alien (5 stars)"?\nThe more stars a movie got, the more she liked it.\n'
    "Answer with Yes or No and nothing else.\n"
)


def test_items_stand_behind_the_stars_and_before_the_closing_note():
    marked, places = mark_items(PROMPT, "#")
    assert places == 3
    assert marked.replace("#", "") == PROMPT
    assert "(2009) (4 stars)#\n1. Heat (1 star)#\nWill she like" in marked
    assert "liked it.\n#Answer with Yes or No" in marked


@pytest.mark.parametrize(
    "text", ["", "Up (4 stars)\n", PROMPT.replace("0. ", "7. "), PROMPT + "Yes.", PROMPT.replace("Heat", "#")]
)
def test_a_text_without_such_places_is_refused(text):
    with pytest.raises(ValueError, match="no prompt of the style pointwise"):
        mark_items(text, "#")
