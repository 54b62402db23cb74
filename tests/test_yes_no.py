"""P(Yes): by hand, against plain forward passes of every kind of base model, and unmoved by batching, order and padding."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from rella_hub.language_models.p_yes import (
    Budget,
    batches_of_like_length,
    decided,
    last_logits,
    p_yes,
    p_yes_of_systems,
    pad_right,
)
from rella_hub.language_models.tokens import Answers

VOCABULARY, LONGEST, WINDOW = 97, 60, 8
ANSWERS = Answers(no=11, yes=42)
SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
SHAPE |= {"num_key_value_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64, "initializer_range": 0.3}
GPT2 = {"vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.3}


def build(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
        "qwen 2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
        "mistral": lambda: MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=WINDOW)),
        "gpt 2": lambda: GPT2LMHeadModel(GPT2Config(**GPT2)),
    }[kind]().eval()


MODELS = {kind: build(kind) for kind in ("llama", "qwen 2", "mistral", "gpt 2")}
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    """Of all lengths from 1 to LONGEST, some twice, in no order."""
    rng = np.random.default_rng(0)
    lengths = rng.permutation(np.r_[np.arange(1, LONGEST + 1), [5, 5, 33]])
    return [rng.integers(0, VOCABULARY, length).tolist() for length in lengths]


def softmax_of_two(logits: torch.Tensor) -> torch.Tensor:
    """(..., V) → (...,), as the equation stands in the paper."""
    no, yes = logits[..., ANSWERS.no].double().exp(), logits[..., ANSWERS.yes].double().exp()
    return yes / (yes + no)


def one_by_one(model: torch.nn.Module, prompts: list[list[int]]) -> np.ndarray:
    """All logits of each prompt alone: nothing is padded, batched or left out."""
    with torch.no_grad():
        return np.array([softmax_of_two(model(torch.tensor([ids])).logits[0, -1]) for ids in prompts])


class Lookup(torch.nn.Module):
    """A "model" whose logits at a position are a table's row for the token there."""

    def __init__(self, table: list[list[float]]):
        super().__init__()
        self.table = torch.nn.Parameter(torch.tensor(table))
        self.shapes = []

    def forward(self, input_ids, logits_to_keep, use_cache):
        self.shapes.append((tuple(input_ids.shape), len(logits_to_keep)))
        return SimpleNamespace(logits=self.table[input_ids][:, logits_to_keep])


def test_softmax_over_two_logits_by_hand():
    #           token:   0                1                2
    table = [[0.0, 9.0, 0.0], [1.0, -7.0, 2.0], [3.0, 5.0, 0.0]]
    scores = p_yes(Lookup(table), [[0], [0, 1], [1, 0, 2], [2, 2, 2, 1]], Answers(no=0, yes=2))
    assert scores.dtype == np.float64
    # e^0 / (e^0 + e^0); e^2 / (e^1 + e^2); e^0 / (e^3 + e^0); token 1 again
    assert scores == pytest.approx([0.5, 0.7310585786300049, 0.04742587317756678, 0.7310585786300049], abs=1e-7)


@every_model
def test_equal_to_a_plain_forward_pass_of_each_prompt(model, prompts):
    expected = one_by_one(model, prompts)
    assert expected.std() > 0.05, "all prompts with one score would hide every mistake"
    assert p_yes(model, prompts, ANSWERS) == pytest.approx(expected, abs=1e-5)


def test_the_window_of_the_mistral_model_matters(prompts):
    """Otherwise the test above would say nothing about sliding windows."""
    everywhere = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=None)).eval()
    everywhere.load_state_dict(MODELS["mistral"].state_dict())
    difference = np.abs(one_by_one(everywhere, prompts) - one_by_one(MODELS["mistral"], prompts))
    lengths = np.array([len(ids) for ids in prompts])
    assert difference[lengths <= WINDOW].max() < 1e-6
    assert difference[lengths > 2 * WINDOW].max() > 0.01


@every_model
@pytest.mark.parametrize("tokens_per_batch", [1, 64, 177, 100_000])
def test_independent_of_the_batches(model, prompts, tokens_per_batch):
    assert p_yes(model, prompts, ANSWERS, tokens_per_batch) == pytest.approx(p_yes(model, prompts, ANSWERS), abs=1e-5)


@every_model
def test_independent_of_the_order(model, prompts):
    order = np.random.default_rng(1).permutation(len(prompts))
    shuffled = p_yes(model, [prompts[i] for i in order], ANSWERS, 300)
    assert shuffled == pytest.approx(p_yes(model, prompts, ANSWERS, 300)[order], abs=1e-5)


@every_model
def test_equal_to_padding_at_the_left_behind_a_mask(model, prompts):
    input_ids = torch.zeros(len(prompts), LONGEST, dtype=torch.long)
    mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(prompts):
        input_ids[row, LONGEST - len(ids) :] = torch.tensor(ids)
        mask[row, LONGEST - len(ids) :] = 1
    position_ids = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(input_ids=input_ids, attention_mask=mask, position_ids=position_ids).logits[:, -1]
    assert p_yes(model, prompts, ANSWERS) == pytest.approx(softmax_of_two(logits).numpy(), abs=1e-5)


@every_model
def test_last_logits_are_rows_of_all_logits(model, prompts):
    input_ids, last = pad_right(prompts[:9])
    with torch.no_grad():
        everywhere = model(input_ids=input_ids).logits
        found = last_logits(model, input_ids, last)
    assert found.shape == (9, VOCABULARY)
    assert torch.allclose(found, everywhere[torch.arange(9), last], atol=1e-4)


def test_the_head_sees_few_positions():
    """Prompts of one length cost one position each, whatever their number."""
    model = Lookup(np.zeros((7, 3), dtype=np.float32).tolist())
    p_yes(model, [[1] * 5] * 20, Answers(no=0, yes=2), tokens_per_batch=50)
    assert model.shapes == [((10, 5), 1)] * 2


def test_padding_stands_at_the_right():
    input_ids, last = pad_right([[5, 6, 7], [8], [9, 9]])
    assert input_ids.tolist() == [[5, 6, 7], [8, 0, 0], [9, 9, 0]]
    assert last.tolist() == [2, 0, 1]


@given(lengths=st.lists(st.integers(1, 3000), max_size=200), tokens_per_batch=st.integers(1, 20_000))
def test_batches_hold_every_row_once_within_the_budget(lengths, tokens_per_batch):
    batches = list(batches_of_like_length(lengths, tokens_per_batch))
    assert sorted(row for rows in batches for row in rows) == list(range(len(lengths)))
    longest = [max(lengths[row] for row in rows) for rows in batches]
    assert longest == sorted(longest, reverse=True)
    for rows, width in zip(batches, longest, strict=True):
        assert len(rows) * width <= tokens_per_batch or len(rows) == 1
    in_order = [lengths[row] for rows in batches for row in rows]
    assert in_order == sorted(lengths, reverse=True), "prompts of like length stand together"


@given(lengths=st.lists(st.integers(100, 120), min_size=1, max_size=200))
def test_batches_of_like_lengths_are_as_large_as_they_may_be(lengths):
    batches = list(batches_of_like_length(lengths, 1000))
    for rows in batches[:-1]:
        assert len(rows) == 1000 // max(lengths[row] for row in rows)


def test_no_prompts_no_scores():
    assert p_yes(MODELS["llama"], [], ANSWERS).shape == (0,)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(prompts, value):
    model = build("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3] = value
    message = rf"{len(prompts)} of {len(prompts)} prompts got a score that is not finite; .* \(try --dtype float32\)"
    with pytest.raises(ValueError, match=message):
        p_yes(model, prompts, ANSWERS)


def test_one_score_that_is_not_finite_is_enough():
    with pytest.raises(ValueError, match=r"^1 of 3 prompts got a score that is not finite"):
        p_yes(Lookup([[0.0, 1.0], [float("nan"), 1.0]]), [[0], [0, 1], [1, 0]], Answers(no=0, yes=1))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_goes_on_as_it_was(training):
    model = Lookup([[0.0, 1.0]]).train(training)
    p_yes(model, [[0]], Answers(no=0, yes=1))
    assert model.training is training
    with pytest.raises(ValueError, match=r"cannot read a prompt of 1 tokens .*longer context, or its own tokenizer"):
        p_yes(model, [[7]], Answers(no=0, yes=1))
    assert model.training is training


def test_dropout_is_off(prompts):
    """A score in training mode, as validation takes it between two epochs, is the score of evaluation mode."""
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**GPT2, resid_pdrop=0.5)).train()
    during = p_yes(model, prompts, ANSWERS)
    assert during == pytest.approx(one_by_one(model.eval(), prompts), abs=1e-5)
    assert not next(model.parameters()).grad_fn


def test_scoring_leaves_the_model_trainable(prompts):
    model = build("llama")
    p_yes(model, prompts, ANSWERS)
    model(torch.tensor([prompts[0]])).logits.sum().backward()
    assert model.lm_head.weight.grad.abs().sum() > 0


class Crowded(torch.nn.Module):
    """A model on a GPU that has memory for so many padded tokens."""

    def __init__(self, model: torch.nn.Module, tokens: int):
        super().__init__()
        self.model, self.tokens, self.read = model, tokens, []

    def forward(self, input_ids, **options):
        if input_ids.numel() > self.tokens:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        self.read.append(input_ids.numel())
        return self.model(input_ids=input_ids, **options)


def test_a_batch_for_which_a_gpu_has_no_memory_is_halved_and_it_is_said_once(prompts, capsys):
    model = build("llama").eval()
    longest = max(map(len, prompts))
    crowded = Crowded(model, 2 * longest)
    budget = Budget(16 * longest)
    for _ in range(2):
        found = p_yes_of_systems(crowded, [lambda: None], prompts, ANSWERS, budget)[0]
        assert found == pytest.approx(p_yes(model, prompts, ANSWERS), abs=1e-5)
    said = capsys.readouterr().err
    assert said.count("the GPU has no memory for") == 1
    assert budget.tokens <= 2 * longest
    assert max(crowded.read) <= 2 * longest


def test_a_prompt_for_which_a_gpu_has_no_memory_is_said(prompts):
    with pytest.raises(ValueError, match=rf"no memory for a prompt of {max(map(len, prompts))} tokens alone. Take"):
        p_yes(Crowded(build("llama"), 1), prompts, ANSWERS)


def test_the_rule_of_tallrec_is_the_sigmoid_of_a_difference_and_orders_otherwise():
    """Its example: probabilities (.30, .10) stand below (.60, .35), though 3 to 1 is more of a Yes than 12 to 7."""
    pair = torch.tensor([0, 1])  # no, yes
    probabilities = torch.tensor([[0.10, 0.30, 0.60], [0.35, 0.60, 0.05]], dtype=torch.float64)
    softmax, difference = (decided(probabilities.log(), pair, rule) for rule in ("softmax", "difference"))
    np.testing.assert_allclose(softmax, [0.30 / 0.40, 0.60 / 0.95])
    np.testing.assert_allclose(difference, [1 / (1 + np.exp(-0.20)), 1 / (1 + np.exp(-0.25))])
    assert softmax[0] > softmax[1]
    assert difference[0] < difference[1]


@every_model
def test_the_rule_of_tallrec_is_what_a_full_forward_pass_gives(model, prompts):
    found = p_yes_of_systems(model, [lambda: None], prompts, ANSWERS, Budget(200), rule="difference")[0]
    with torch.no_grad():
        all_logits = [model(torch.tensor([ids])).logits[0, -1].double().numpy() for ids in prompts]
    shares = [np.exp(one - one.max()) / np.exp(one - one.max()).sum() for one in all_logits]
    by_hand = [1 / (1 + np.exp(share[ANSWERS.no] - share[ANSWERS.yes])) for share in shares]
    np.testing.assert_allclose(found, by_hand, atol=1e-6)
    assert found.min() > 0.26
    assert found.max() < 0.74


def test_a_batch_is_told_of_before_it_is_read():
    """`see` gets the numbers of the prompts of each batch, all of them once."""
    seen, model = [], MODELS["llama"]
    prompts = [[1] * length for length in (3, 9, 4, 8)]
    p_yes_of_systems(model, [lambda: None], prompts, ANSWERS, Budget(9), see=lambda rows: seen.append(rows.tolist()))
    assert sorted(row for rows in seen for row in rows) == [0, 1, 2, 3]
    assert all(len(rows) * max(len(prompts[row]) for row in rows) <= 9 for rows in seen)
