"""Answers to a prompt, scored with its keys and values shared, and generated: both equal to the model read plainly."""

import numpy as np
import pytest
import tiny_titles
import torch
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

from rella_hub.language_models.continuations import answer_lengths, log_likelihoods
from rella_hub.language_models.generation import first_lines
from rella_hub.language_models.p_yes import Budget
from rella_hub.language_models.tokens import encode_completions, encode_continuations

VOCABULARY = 320
PROMPTS = [[5, 6, 7, 8, 9, 10, 11], [30, 31], [40], [50, 51, 52, 53]]
ANSWERS = [[[9], [12, 13, 14], [15, 16]], [[1, 2], [3], [4, 5]], [[7, 7, 7, 7], [8], [9]], [[60], [61], [62]]]


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_titles.tokenizer()


def llama():
    return tiny_titles.llama(VOCABULARY)


def gpt2():
    """Positions in a table, where a wrong one is another vector."""
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64}
    return GPT2LMHeadModel(GPT2Config(**sizes, initializer_range=0.3)).eval()


def whole_passes(model, prompts, answers) -> np.ndarray:
    """The oracle: each answer read behind its prompt in a pass of its own, without cache, mask or padding."""
    found = []
    for prompt, several in zip(prompts, answers, strict=True):
        for answer in several:
            with torch.no_grad():
                log_p = model(torch.tensor([[*prompt, *answer]])).logits[0].double().log_softmax(dim=1)
            places = range(len(prompt) - 1, len(prompt) + len(answer) - 1)
            found.append(sum(float(log_p[place, token]) for place, token in zip(places, answer, strict=True)))
    return np.array(found).reshape(len(prompts), -1)


@pytest.mark.parametrize("make", [llama, gpt2])
@pytest.mark.parametrize("tokens", [1, 60, 10_000])
def test_shared_keys_and_values_score_as_whole_passes_do(make, tokens):
    model = make()
    found = log_likelihoods(model, PROMPTS, ANSWERS, Budget(tokens))
    np.testing.assert_allclose(found, whole_passes(model, PROMPTS, ANSWERS), atol=1e-4)


row = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=6)


@effort(max_examples=15)
@given(st.lists(st.tuples(row, st.lists(row, min_size=2, max_size=2)), min_size=1, max_size=4), st.integers(1, 80))
def test_any_prompts_and_answers(questions, tokens):
    model = llama()
    prompts, answers = [prompt for prompt, _ in questions], [several for _, several in questions]
    found = log_likelihoods(model, prompts, answers, Budget(tokens))
    np.testing.assert_allclose(found, whole_passes(model, prompts, answers), atol=1e-4)


def test_progress_counts_every_prompt_and_token_once():
    told = []
    log_likelihoods(llama(), PROMPTS, ANSWERS, Budget(60), lambda *done: told.append(done))
    assert len(told) > 1
    read = sum(map(len, PROMPTS)) + answer_lengths(ANSWERS).sum()
    assert (sum(rows for rows, _ in told), sum(tokens for _, tokens in told)) == (4, read)


def test_a_model_whose_weights_are_not_finite():
    model = llama()
    model.lm_head.weight.data[3] = torch.nan
    with pytest.raises(ValueError, match="12 of 12 answers got a likelihood that is not finite"):
        log_likelihoods(model, PROMPTS, ANSWERS, Budget())


def one_by_one(model, tokenizer, prompt, longest) -> str:
    """The oracle: the likeliest token after what is there, whole passes, until the text has a line."""
    ids = list(prompt)
    for _ in range(longest):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
        text = tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True)
        if "\n" in text or ids[-1] == tokenizer.eos_token_id:
            break
    return text.partition("\n")[0]


@pytest.mark.parametrize("tokens", [1, 10_000])
def test_a_line_does_not_depend_on_the_batch(tokenizer, tokens):
    model = tiny_titles.llama(len(tokenizer), seed=3)
    lines = first_lines(model, tokenizer, PROMPTS, Budget(tokens), longest=12)
    assert lines == [one_by_one(model, tokenizer, prompt, 12) for prompt in PROMPTS]
    assert len(set(lines)) > 1, "else the test tells nothing"


def test_generation_ends_at_a_newline_inside_of_a_token_and_at_the_end_of_text(tokenizer):
    """The last token that is written is chosen by the bias of the head."""
    model = tiny_titles.llama(len(tokenizer))
    steps = []
    model.register_forward_hook(lambda *_: steps.append(1))
    (merged,) = {ids[-1] for ids in tokenizer(["x)\n"])["input_ids"]}
    for token, line in ((merged, tokenizer.decode(merged).partition("\n")[0]), (tokenizer.eos_token_id, "")):
        steps.clear()
        model.lm_head.weight.data.zero_()
        model.lm_head.bias = torch.nn.Parameter(torch.zeros(len(tokenizer)))
        model.lm_head.bias.data[token] = 9
        assert first_lines(model, tokenizer, [[5, 6]], Budget(), longest=8) == [line]
        assert len(steps) == 1


def test_the_models_own_settings_of_generation_do_not_count(tokenizer):
    model = tiny_titles.llama(len(tokenizer), seed=3)
    before = first_lines(model, tokenizer, PROMPTS, Budget(), longest=8)
    model.generation_config.repetition_penalty, model.generation_config.num_beams = 1e-6, 3
    own = model.generation_config
    assert first_lines(model, tokenizer, PROMPTS, Budget(), longest=8) == before
    assert model.generation_config is own


def test_continuations_are_read_as_they_follow(tokenizer):
    prompts, titles = ["Which one is next?\n", "Heat, Casino\n"], [["Heat\n", "Toy Story\n"], ["Casino\n"]]
    ids, more = encode_continuations(tokenizer, prompts, titles)
    for prompt, start, several, rows in zip(prompts, ids, titles, more, strict=True):
        assert start == tokenizer(prompt)["input_ids"]
        assert [tokenizer.decode([*start, *row]) for row in rows] == [prompt + title for title in several]
    assert encode_completions(tokenizer, prompts[0], titles[0]) == [[*row, tokenizer.eos_token_id] for row in more[0]]
    with pytest.raises(ValueError, match="merges the end of the prompt"):
        encode_continuations(tokenizer, ["Go"], [["ldenEye\n"]])
