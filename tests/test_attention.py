"""What a model looks at: exact against a whole forward pass, for decoders of several kinds, and where in a prompt a behavior stands."""

import copy

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from rella_hub.language_models.attention import answering, shares, tokens_of
from rella_hub.language_models.tokens import Answers
from rella_hub.prompts import one_prompt, prompt_with_places

SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 40}
IDS = list(range(3, 16))
DECODERS = {
    "grouped queries": (LlamaForCausalLM, LlamaConfig(**SHAPE, num_key_value_heads=2)),
    "a sliding window": (MistralForCausalLM, MistralConfig(**SHAPE, num_key_value_heads=2, sliding_window=5)),
    "soft caps": (Gemma2ForCausalLM, Gemma2Config(**SHAPE, num_key_value_heads=2, head_dim=8, sliding_window=5)),
    "learned positions": (GPT2LMHeadModel, GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=40)),
    "partial rotation": (GPTNeoXForCausalLM, GPTNeoXConfig(**SHAPE)),
    "linear biases": (BloomForCausalLM, BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=40)),
}


def decoder(kind: str) -> torch.nn.Module:
    torch.manual_seed(0)
    cls, config = DECODERS[kind]
    return cls(copy.deepcopy(config)).eval()  # a model writes into its config


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("tuned", [False, True], ids=["base", "adapter"])
def test_row_and_answer_equal_those_of_a_whole_forward_pass(kind, tuned):
    model = decoder(kind)
    if tuned:
        model = get_peft_model(model, LoraConfig(target_modules="all-linear", init_lora_weights=False)).eval()
    inner = model.get_base_model() if tuned else model
    before = inner.config._attn_implementation
    found = answering(model, IDS, Answers(no=1, yes=2))
    assert inner.config._attn_implementation == before
    inner.set_attn_implementation("eager")
    with torch.inference_mode():
        whole = model(input_ids=torch.tensor([IDS]), output_attentions=True, use_cache=False)
    np.testing.assert_allclose(found.attention, whole.attentions[-1][0, :, -1].numpy(), atol=1e-6)
    np.testing.assert_allclose(found.attention.sum(axis=1), 1, atol=1e-5)
    assert found.p_yes == pytest.approx(float(whole.logits[0, -1, [1, 2]].double().softmax(0)[1]), abs=1e-6)


def test_no_matrix_of_all_pairs_is_made(monkeypatch):
    model = decoder("grouped queries")
    rows = []
    forward = torch.nn.functional.softmax

    def noting(scores, *args, **kwargs):
        rows.append(tuple(scores.shape))
        return forward(scores, *args, **kwargs)

    monkeypatch.setattr(torch.nn.functional, "softmax", noting)
    answering(model, IDS, Answers(1, 2))
    assert rows == [(1, 4, 1, len(IDS))] * 2  # a row of each layer


def test_model_without_attention_is_refused_in_one_line():
    model = MambaForCausalLM(MambaConfig(hidden_size=32, num_hidden_layers=2, vocab_size=40, state_size=4))
    with pytest.raises(ValueError, match="MambaForCausalLM gives no attention weights") as error:
        answering(model, IDS, Answers(1, 2))
    assert "\n" not in str(error.value)


def test_attention_that_cannot_give_weights_is_refused(monkeypatch):
    model = decoder("grouped queries")

    def refuse(name):
        raise ValueError("only flash attention")

    monkeypatch.setattr(model, "set_attn_implementation", refuse)
    with pytest.raises(ValueError, match=r"LlamaForCausalLM gives no attention weights .*only flash attention"):
        answering(model, IDS, Answers(1, 2))


def test_shares_are_means_over_heads_of_sums_over_tokens():
    attention = np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], dtype=np.float32)
    assert shares(attention, [np.array([0, 1]), np.array([3]), np.array([], dtype=int)]) == pytest.approx(
        [0.5, 0.25, 0]
    )


BEHAVIORS = [
    ({"title": "M (1931)", "genre": "Drama"}, 4.0, True),
    ({"title": "Mary M (1931)", "genre": "Drama"}, 1.0, False),
    ({"title": "M (1931)", "genre": "Drama"}, 5.0, True),
]
USER = {"gender": "female", "age": "25-34", "occupation": "farmer", "zip": "0"}


@pytest.mark.parametrize("style", ["pointwise", "tallrec"])
def test_places_tell_of_their_behaviors_even_of_titles_within_titles(words, style):
    target = {"title": "M (1931)", "genre": "Drama"}
    text, places = prompt_with_places(words, USER, BEHAVIORS, target, style)
    assert text == one_prompt(words, USER, BEHAVIORS, target, style)
    told = [text[begin:end] for begin, end in places]
    if style == "pointwise":
        assert told == ["M (1931) (4 stars)", "Mary M (1931) (1 star)", "M (1931) (5 stars)"]
        return
    assert [one[: len(title["title"])] for one, (title, _, _) in zip(told, BEHAVIORS, strict=True)] == [
        "M (1931)",
        "Mary M (1931)",
        "M (1931)",
    ]
    assert places[0] < places[2] < places[1]  # what was liked stands first
    assert all(text[begin - 1] == '"' for begin, _ in places)


def test_tokens_of_places_cover_them_and_nothing_else(words, tiny_tokenizer):
    text, places = prompt_with_places(words, USER, BEHAVIORS, BEHAVIORS[0][0])
    ids, parts = tokens_of(tiny_tokenizer, text, places)
    offsets = tiny_tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    for (begin, end), part in zip(places, parts, strict=True):
        assert [offsets[token] for token in part] == [one for one in offsets if begin <= one[0] and one[1] <= end]
    assert len(np.concatenate(parts)) == len(set(np.concatenate(parts).tolist())) < len(ids)


def test_tokens_of_places_are_found_inside_of_a_chat_template(words, tiny_tokenizer):
    chatting = copy.deepcopy(tiny_tokenizer)
    chatting.chat_template = "{% for m in messages %}user says {{ m['content'] | trim }} . {% endfor %}then answer "
    text, places = prompt_with_places(words, USER, BEHAVIORS, BEHAVIORS[0][0])
    plain, parts = tokens_of(tiny_tokenizer, text, places)
    ids, inside = tokens_of(chatting, text, places)
    for before, after in zip(parts, inside, strict=True):
        assert [plain[token] for token in before] == [ids[token] for token in after]
