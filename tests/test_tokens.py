"""Prompts and answers as token ids, for a small tokenizer of each family whose vocabulary and merges are written out here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rella_hub.language_models.tokens import Answers, answer_tokens, encode_completions, encode_prompts, in_template
from rella_hub.prompts import pointwise

PROMPT = 'The user is male.\n0. Toy Story (1995) (4 stars)\nWill he like the movie "Heat"?\nAnswer with Yes or No and nothing else.\n'
YES, NO = [("Y", "e"), ("Ye", "s")], [("N", "o")]

LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
HEADERS = (
    "{{ bos_token }}{% for m in messages %}<|start|>{{ m.role }}<|stop|>\n\n{{ m.content | trim }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|stop|>\n\n{% endif %}"
)
CHAT_ML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INSTRUCT = "{{ bos_token }}{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"


def fast(tokenizer: Tokenizer, bos: str | None, eos: str, template: str | None, others=(), end: bool = False):
    """A transformers tokenizer; where there is a `bos` every text begins with it, and with `end` every text ends with `eos`."""
    tokenizer.add_special_tokens([token for token in (bos, eos, *others) if token])
    around = [f"{bos}:0"] * bool(bos) + ["$A:0"] + [f"{eos}:0"] * end
    special = [(token, tokenizer.token_to_id(token)) for token in (bos, eos) if token]
    if len(around) > 1:
        tokenizer.post_processor = processors.TemplateProcessing(single=" ".join(around), special_tokens=special)
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos)
    made.chat_template = template
    return made


def sentencepiece(model, template: str | None = None, end: bool = False):
    """Spaces as ▁, one at the start of a text, and bytes for what the vocabulary lacks: Llama 2, Mistral, Gemma."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return fast(tokenizer, "<s>", "</s>", template, end=end)


def pieces(merges) -> list[str]:
    """Bytes, printable characters, and what the merges make of them."""
    byte_pieces = [f"<0x{b:02X}>" for b in range(256)]
    return ["<unk>", *byte_pieces, "▁", *map(chr, range(33, 127)), *(a + b for a, b in merges)]


def metaspace_bpe(merges, **options):
    vocabulary = {piece: i for i, piece in enumerate(pieces(merges))}
    return sentencepiece(
        models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True), **options
    )


def unigram(words=("Yes", "No", "▁Yes", "▁No")):
    vocabulary = [(piece, -20.0 if piece.startswith("<") else -10.0) for piece in pieces([])]
    return sentencepiece(models.Unigram([*vocabulary, *((word, -5.0) for word in words)], unk_id=0, byte_fallback=True))


def byte_level(merges, regex: str | None, bos: str | None, eos: str, template: str | None, others=()):
    """Every byte a letter, words cut by a regular expression: GPT-2, Llama 3, Qwen."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, *(a + b for a, b in merges)])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    if regex is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        cut = pre_tokenizers.Split(Regex(regex), "isolated")
        whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, whole])
    tokenizer.decoder = decoders.ByteLevel()
    return fast(tokenizer, bos, eos, template, others)


IN_TEXT = [*YES, *NO, ("▁", "Yes"), ("▁", "No")]
BYTES = [*YES, *NO, ("Ġ", "Yes"), ("Ġ", "No"), (".", "Ċ")]
HEADER_TOKENS = ("<|start|>", "<|stop|>", "<|eot|>")
FAMILIES = {
    "llama 2": metaspace_bpe(IN_TEXT),
    "unigram": unigram(),
    "mistral": metaspace_bpe(IN_TEXT, template=INSTRUCT),
    "ends every text": metaspace_bpe(IN_TEXT, end=True),
    "gpt 2": byte_level(BYTES, None, None, "<|endoftext|>", None),
    "llama 3": byte_level(BYTES, LLAMA_3, "<|begin|>", "<|eot|>", HEADERS, HEADER_TOKENS),
    "llama 3, base": byte_level(BYTES, LLAMA_3, "<|begin|>", "<|end|>", None),
    "qwen": byte_level(BYTES, LLAMA_3, None, "<|im_end|>", CHAT_ML, ("<|im_start|>",)),
}
every_family = pytest.mark.parametrize("tokenizer", FAMILIES.values(), ids=FAMILIES)


def tokens(tokenizer, ids: list[int]) -> list[str]:
    return tokenizer.convert_ids_to_tokens(ids)


@every_family
def test_prompt_and_answer_are_what_the_whole_text_gives(tokenizer):
    """The tokenizer itself, without transformers' conveniences, on prompt and answer in one piece."""
    (prompt,) = encode_prompts(tokenizer, [PROMPT], None)
    whole_text = tokenizer.backend_tokenizer
    for answer, ids in zip(pointwise.ANSWERS, encode_completions(tokenizer, PROMPT, pointwise.ANSWERS), strict=True):
        text = in_template(tokenizer, PROMPT) + answer
        whole = whole_text.encode(text, add_special_tokens=tokenizer.chat_template is None).ids
        expected = whole if whole[-1] == tokenizer.eos_token_id else [*whole, tokenizer.eos_token_id]
        assert prompt + ids == expected


@every_family
def test_an_answer_is_the_word_as_it_stands_behind_the_prompt(tokenizer):
    found = answer_tokens(tokenizer, PROMPT, pointwise.ANSWERS)
    assert tokens(tokenizer, [found.no, found.yes]) == ["No", "Yes"]
    no, yes = encode_completions(tokenizer, PROMPT, pointwise.ANSWERS)
    assert tokens(tokenizer, no) == ["No", ".", tokenizer.eos_token]
    assert tokens(tokenizer, yes) == ["Yes", ".", tokenizer.eos_token]


@pytest.mark.parametrize("family", ["llama 2", "unigram", "mistral"])
def test_a_word_at_the_start_of_a_text_is_another_token(family):
    """Why the answers are looked up in context: alone, these tokenizers write them with a space."""
    tokenizer = FAMILIES[family]
    alone = tokenizer("Yes", add_special_tokens=False)["input_ids"]
    assert tokens(tokenizer, alone) == ["▁Yes"]
    assert answer_tokens(tokenizer, PROMPT, pointwise.ANSWERS).yes not in alone


@every_family
def test_special_tokens_stand_once(tokenizer):
    (ids,) = encode_prompts(tokenizer, [PROMPT], None)
    if tokenizer.bos_token_id is not None:
        assert ids[0] == tokenizer.bos_token_id
        assert ids.count(tokenizer.bos_token_id) == 1
    ended = 1 if tokenizer.chat_template in (HEADERS, CHAT_ML) else 0  # the user's turn is closed, the answer's is not
    assert ids.count(tokenizer.eos_token_id) == ended
    assert ids[-1] != tokenizer.eos_token_id


def test_a_chat_template_is_used_where_there_is_one():
    def written(family):
        return FAMILIES[family].decode(encode_prompts(FAMILIES[family], [PROMPT], None)[0])

    assert written("llama 3") == (
        f"<|begin|><|start|>user<|stop|>\n\n{PROMPT.strip()}<|eot|><|start|>assistant<|stop|>\n\n"
    )
    assert written("qwen") == f"<|im_start|>user\n{PROMPT}<|im_end|>\n<|im_start|>assistant\n"
    assert written("mistral") == f"<s>[INST] {PROMPT} [/INST]"


def test_without_a_chat_template_the_prompt_stands_as_it_is():
    for family, before in (
        ("gpt 2", ""),
        ("llama 3, base", "<|begin|>"),
        ("llama 2", "<s>"),
        ("ends every text", "<s>"),
    ):
        tokenizer = FAMILIES[family]
        assert in_template(tokenizer, PROMPT) == PROMPT
        assert tokenizer.decode(encode_prompts(tokenizer, [PROMPT], None)[0]).replace("<s> ", "<s>") == before + PROMPT


@every_family
@given(title=st.text(min_size=1), stars=st.integers(1, 5))
def test_every_prompt_has_the_answers_of_the_first(tokenizer, title, stars):
    """Scoring looks the answers up behind one prompt and uses them behind all."""
    words = "Answer with Yes or No and nothing else.\n"
    other = f'{title} ({stars} stars)\nWill she like the movie "{title}"?\n{words}'
    assert answer_tokens(tokenizer, other, pointwise.ANSWERS) == answer_tokens(tokenizer, PROMPT, pointwise.ANSWERS)
    assert encode_completions(tokenizer, other, pointwise.ANSWERS) == encode_completions(
        tokenizer, PROMPT, pointwise.ANSWERS
    )


SPLIT = {
    "byte-level": (byte_level([("Y", "e"), *NO], None, None, "<|end|>", None), "Ye"),
    "metaspace": (metaspace_bpe(NO), "Y"),
    "unigram": (unigram(words=("Ye", "No", "▁Yes", "▁No")), "Ye"),
    "metaspace, spaced word only": (metaspace_bpe([("▁", "Y"), ("▁Y", "e"), ("▁Ye", "s"), *NO]), "Y"),
}


@pytest.mark.parametrize(("tokenizer", "begins"), SPLIT.values(), ids=SPLIT)
def test_an_answer_of_several_tokens_is_refused(tokenizer, begins):
    with pytest.raises(ValueError, match=rf"'Yes\.' is not decided by one token: .* begins it with '{begins}'"):
        answer_tokens(tokenizer, PROMPT, pointwise.ANSWERS)


def test_an_answer_that_the_vocabulary_lacks_is_refused(tiny_tokenizer):
    with pytest.raises(ValueError, match=r"'No\.' is not decided by one token: .* begins it with '\[UNK\]'"):
        answer_tokens(tiny_tokenizer, PROMPT, pointwise.ANSWERS)


def test_a_word_with_its_full_stop_may_be_one_token():
    tokenizer = metaspace_bpe([*YES, ("Yes", "."), *NO])
    found = answer_tokens(tokenizer, PROMPT, pointwise.ANSWERS)
    assert tokens(tokenizer, [found.no, found.yes]) == ["No", "Yes."]


def test_answers_that_begin_alike_are_refused():
    with pytest.raises(ValueError, match=r"'Yes' and 'Yes\.' begin with the same token"):
        answer_tokens(FAMILIES["gpt 2"], PROMPT, ("Yes", "Yes."))


def test_a_prompt_that_merges_with_its_answer_is_refused():
    across = byte_level([*YES, *NO, ("Ċ", "Yes")], ".+|\\s+Yes\\.", None, "<|end|>", None)
    with pytest.raises(ValueError, match=r"merges the end of the prompt \(.*else\.\\n'\) with the answer 'Yes\.'"):
        encode_completions(across, PROMPT, pointwise.ANSWERS)
    spaced = FAMILIES["gpt 2"]
    with pytest.raises(ValueError, match=r"merges the end of the prompt \('Answer: '\) with the answer 'No\.'"):
        answer_tokens(spaced, "Answer: ", pointwise.ANSWERS)


def test_an_answer_that_vanishes_is_refused():
    with pytest.raises(ValueError, match="merges the end of the prompt"):
        encode_completions(FAMILIES["llama 2"], PROMPT, [""])


@every_family
def test_the_budget_counts_every_token_of_a_prompt(tokenizer):
    prompts = [PROMPT, PROMPT + PROMPT, PROMPT + PROMPT + PROMPT]
    lengths = [len(ids) for ids in encode_prompts(tokenizer, prompts, None)]
    assert [len(ids) for ids in encode_prompts(tokenizer, prompts, lengths[2])] == lengths
    with pytest.raises(
        ValueError, match=rf"^2 of 3 prompts are longer than max_length = {lengths[0]} tokens"
    ) as raised:
        encode_prompts(tokenizer, prompts, lengths[0])
    assert f"(the longest has {lengths[2]})" in str(raised.value)
    assert "raise --max_length, or use a config with a smaller history_length" in str(raised.value)
    with pytest.raises(ValueError, match=r"^1 of 3 prompts"):
        encode_prompts(tokenizer, prompts, lengths[2] - 1)


def test_answers_are_in_the_order_of_the_labels():
    tokenizer = FAMILIES["gpt 2"]
    no, yes = (tokenizer.convert_tokens_to_ids(word) for word in ("No", "Yes"))
    assert answer_tokens(tokenizer, PROMPT, pointwise.ANSWERS) == Answers(no=no, yes=yes)
