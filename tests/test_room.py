"""Whether a model has room for its prompts: its own tables of tokens and positions are asked, and what they lack is one line."""

import shutil
from pathlib import Path

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    BloomConfig,
    BloomForCausalLM,
    CodeGenConfig,
    CodeGenForCausalLM,
    CTRLConfig,
    CTRLLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    GPTJConfig,
    GPTJForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MptConfig,
    MptForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    OPTConfig,
    OPTForCausalLM,
    RobertaConfig,
    RobertaModel,
    XGLMConfig,
    XGLMForCausalLM,
)

from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.room import longest_input, require_room
from rella_hub.language_models.tokens import Answers
from rella_hub.vectors.encode import Encoder, encode

N, V = 16, 40
GPT = {"vocab_size": V, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": N, "bos_token_id": 0, "eos_token_id": 0}
LAYERS = {"vocab_size": V, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
LAYERS |= {"max_position_embeddings": N}
ENDS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
MODELS = {
    "gpt 2": (lambda: GPT2LMHeadModel(GPT2Config(**GPT)), N),
    "gpt j": (lambda: GPTJForCausalLM(GPTJConfig(**GPT, rotary_dim=4)), N),
    "codegen": (lambda: CodeGenForCausalLM(CodeGenConfig(**GPT | {"n_head": 4}, rotary_dim=2)), N),
    "gpt": (lambda: OpenAIGPTLMHeadModel(OpenAIGPTConfig(**GPT)), N),
    "ctrl": (lambda: CTRLLMHeadModel(CTRLConfig(**GPT, dff=16)), N),
    "mpt": (lambda: MptForCausalLM(MptConfig(vocab_size=V, d_model=16, n_layers=1, n_heads=2, max_seq_len=N)), N),
    "opt, whose table has two rows more": (
        lambda: OPTForCausalLM(OPTConfig(**LAYERS | {"ffn_dim": 16, "word_embed_proj_dim": 16}, **ENDS)),
        N,
    ),
    "llama, rotary": (lambda: LlamaForCausalLM(LlamaConfig(**LAYERS)), None),
    "mistral, with a window": (
        lambda: MistralForCausalLM(MistralConfig(**LAYERS | {"num_key_value_heads": 1}, sliding_window=4)),
        None,
    ),
    "bloom, by distance": (
        lambda: BloomForCausalLM(BloomConfig(vocab_size=V, hidden_size=16, n_layer=1, n_head=2)),
        None,
    ),
    "xglm, whose table grows": (
        lambda: XGLMForCausalLM(
            XGLMConfig(vocab_size=V, d_model=16, ffn_dim=16, num_layers=1, attention_heads=2, max_position_embeddings=N)
        ),
        None,
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_limit_is_where_the_model_fails(kind):
    """A prompt of the limit is scored, one token more is not, by the model itself; without a limit, none is too long."""
    build, limit = MODELS[kind]
    model = build().eval()
    assert longest_input(model) == limit
    longest = limit or 3 * N
    rows = [[1] * longest, [2] * 3]
    require_room(model, "org/base", rows, (3, 4))
    assert p_yes(model, rows, Answers(3, 4)).shape == (2,)
    if limit is None:
        return
    too_long = [[1] * (longest + 1), *rows]
    with pytest.raises((IndexError, RuntimeError)), torch.no_grad():
        model(torch.tensor(too_long[:1]))
    with pytest.raises(
        ValueError, match=r"1 of 3 prompts are longer than the 16 tokens that 'org/base' has positions for"
    ):
        require_room(model, "org/base", too_long, (3, 4))


def test_the_table_is_asked_and_not_the_configuration():
    model = MODELS["gpt 2"][0]()
    model.config.n_positions = model.config.max_position_embeddings = 4096
    assert longest_input(model) == N


def test_a_token_that_the_model_lacks_is_refused():
    model = MODELS["llama, rotary"][0]()
    for rows, answers, token in (([[1, V]], (3, 4), V), ([[1]], (3, V + 2), V + 2)):
        with pytest.raises(ValueError, match=rf"'org/base' writes the token {token}, but the model has only {V}"):
            require_room(model, "org/base", rows, answers)
    require_room(model, "org/base", [[V - 1]], (3, V - 1))
    require_room(model, "org/base", [])


@pytest.mark.parametrize(
    ("kind", "limit"), [("bert", N), ("roberta, which counts from its padding", N - 2)], ids=lambda value: str(value)
)
def test_an_encoder_reads_as_much_as_its_table_holds(kind, limit, tiny_tokenizer):
    model = (BertModel(BertConfig(**LAYERS)) if kind == "bert" else RobertaModel(RobertaConfig(**LAYERS))).eval()
    assert longest_input(model) == limit
    encoder = Encoder("org/encoder", model, lambda texts, **_: {"input_ids": [[1] * len(text) for text in texts]})
    with pytest.raises(
        ValueError, match=f"1 item descriptions are longer than the {limit} tokens that org/encoder can read"
    ):
        encode(encoder, ["a" * (limit + 1), "a"])
    encoder = Encoder("org/encoder", model, lambda texts, **_: {"input_ids": [[V] for _ in texts]})
    with pytest.raises(ValueError, match=rf"'org/encoder' writes the token {V}, but the model has only {V}"):
        encode(encoder, ["a"])


@pytest.mark.parametrize(
    ("rows", "positions", "said"), [(0, 64, "has positions for"), (-20, 2048, "but the model has only")]
)
def test_every_command_checks_before_any_work(command, smoke, monkeypatch, tmp_path, capsys, rows, positions, said):
    from transformers import AutoTokenizer

    monkeypatch.chdir(smoke.folder)
    base = Path(shutil.copytree("runs/smoke/base", tmp_path / "base"))
    vocabulary = len(AutoTokenizer.from_pretrained(base)) + rows
    GPT2LMHeadModel(GPT2Config(**GPT | {"vocab_size": vocabulary, "n_positions": positions})).save_pretrained(base)
    common = ["--base", base, "--dataset", "runs/smoke/data"]
    tuning = ["--config_name", "reit_k5", "--num_shots", 4, "--num_validation", 4, "--lora_target_modules", "c_attn"]
    scoring = ["--config_name", "subr_k5", "--limit", 8]
    for line in (
        ["evaluation/score.py", *scoring, "--output", tmp_path / "out/scores.parquet"],
        ["evaluation/compare.py", *scoring, "--resamples", 40, "--output", tmp_path / "out"],
        ["training/sft.py", "--config=/dev/null", *tuning, "--output_dir", tmp_path / "out"],
    ):
        if line[0] == "training/sft.py":
            (tmp_path / "empty.yaml").write_text("{}")
            line[1] = f"--config={tmp_path / 'empty.yaml'}"
        assert command(*line, *common) == 2
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
