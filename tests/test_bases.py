"""A base is a plain causal language model and is what its files hold: anything else that loads is refused, in one line."""

import contextlib
import json
import shutil
import time
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from rella_hub.hub.model_configs import read_config
from rella_hub.language_models.load import base_identity, load_base, load_tokenizer
from rella_hub.systems.adapter.requirements import Needs, missing
from rella_hub.tables.checked import read_object
from rella_hub.vectors.encode import encode, encoder_revision, load_encoder

SHAPE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 40}
KINDS = {
    "GPT2LMHeadModel": {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 40},
    "OPTForCausalLM": SHAPE | {"ffn_dim": 16, "word_embed_proj_dim": 16},
    "Qwen3ForCausalLM": SHAPE | {"num_key_value_heads": 2},
    "MixtralForCausalLM": SHAPE | {"num_key_value_heads": 2},
    "Gemma2ForCausalLM": SHAPE | {"num_key_value_heads": 2, "head_dim": 8},
}
BART = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
BART |= {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "d_model": 16, "vocab_size": 40}


def save(folder: Path, kind: str, config: str, shape: dict = SHAPE) -> Path:
    torch.manual_seed(0)
    getattr(transformers, kind)(getattr(transformers, config)(**shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("bases") / "llama", "LlamaForCausalLM", "LlamaConfig")


@pytest.fixture
def base(saved, tmp_path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(saved, tmp_path / "base"))


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refusal(folder: Path) -> str:
    """What is said of a folder as a base, which must be one line, from either of what a command calls, and of an adapter's tuning."""
    said = []
    for use in (base_identity, load_base):
        try:
            use(str(folder))
        except ValueError as error:
            said.append(str(error))
    assert said, "it was loaded"
    assert all("\n" not in line and len(line) < 700 for line in said)
    return said[0]


def test_a_plain_base_is_taken(base):
    assert base_identity(str(base))["weights"]
    assert load_base(str(base)).config._attn_implementation in ("sdpa", "eager")


@pytest.mark.parametrize("kind", KINDS)
def test_causal_models_of_other_families_are_taken(tmp_path, kind):
    config = kind.replace("LMHeadModel", "Config").replace("ForCausalLM", "Config")
    assert load_base(str(save(tmp_path, kind, config, KINDS[kind])))


@pytest.mark.parametrize(
    ("kind", "config", "shape", "message"),
    [
        ("BertLMHeadModel", "BertConfig", SHAPE, "encoder without a causal mask"),
        ("BertForMaskedLM", "BertConfig", SHAPE, "was saved as 'BertForMaskedLM'"),
        ("RobertaForCausalLM", "RobertaConfig", SHAPE, "encoder without a causal mask"),
        ("ElectraForCausalLM", "ElectraConfig", SHAPE | {"embedding_size": 16}, "encoder without a causal mask"),
        (
            "XLNetLMHeadModel",
            "XLNetConfig",
            {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32, "vocab_size": 40},
            "changes with what stands after or beside it",
        ),
        (
            "XLMWithLMHeadModel",
            "XLMConfig",
            {"emb_dim": 16, "n_layers": 1, "n_heads": 2, "vocab_size": 40},
            "Expected a causal",
        ),
        ("LlamaForSequenceClassification", "LlamaConfig", SHAPE, "was saved as 'LlamaForSequenceClassification'"),
        ("LlamaForTokenClassification", "LlamaConfig", SHAPE, "was saved as 'LlamaForTokenClassification'"),
        ("LlamaModel", "LlamaConfig", SHAPE, "1 weights are missing, such as lm_head.weight"),
        ("BartForConditionalGeneration", "BartConfig", BART, "an encoder-decoder"),
        (
            "T5ForConditionalGeneration",
            "T5Config",
            {"d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 16, "vocab_size": 40},
            "enc",
        ),
    ],
)
def test_other_kinds_of_models_are_refused(tmp_path, kind, config, shape, message):
    assert message in refusal(save(tmp_path, kind, config, shape))


def test_a_vision_language_model_is_refused(tmp_path):
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 8,
        "patch_size": 4,
    }
    text = SHAPE | {"head_dim": 8, "num_key_value_heads": 2}
    config = transformers.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    transformers.Gemma3ForConditionalGeneration(config).save_pretrained(tmp_path)
    assert "ForConditionalGeneration" in refusal(tmp_path)
    edit(tmp_path / "config.json", architectures=None)
    assert "a model of more than text" in refusal(tmp_path)


def test_a_classifier_that_does_not_say_so_is_told_by_its_weights(tmp_path):
    """Of a base with tied embeddings no weight is missing: the head of the classifier is what is left over."""
    save(tmp_path, "LlamaForSequenceClassification", "LlamaConfig", SHAPE | {"tie_word_embeddings": True})
    edit(tmp_path / "config.json", architectures=["LlamaForCausalLM"])
    assert "has no place for, such as score.weight" in refusal(tmp_path)


def test_a_head_that_is_stored_beside_tied_embeddings_is_the_one_that_scores(base):
    edit(base / "config.json", tie_word_embeddings=True)
    stored = load_file(base / "model.safetensors")["lm_head.weight"]
    assert torch.equal(load_base(str(base)).lm_head.weight, stored)


def test_weights_of_a_wrong_shape_and_layers_too_few_are_refused(base):
    edit(base / "config.json", num_hidden_layers=1)
    assert "has no place for, such as model.layers.1." in refusal(base)
    edit(base / "config.json", num_hidden_layers=2, intermediate_size=64)
    assert "cannot be loaded" in refusal(base)


@pytest.mark.parametrize(
    "setting",
    [
        {"quantization_config": {"quant_method": "gptq", "bits": 4}},
        {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}},
        {"text_config": {"quantization_config": {"quant_method": "awq"}}},
        {"compression_config": {"format": "int-quantized"}},
    ],
)
def test_a_base_that_is_stored_quantized_is_refused_under_every_quantization(base, setting):
    edit(base / "config.json", **setting)
    for quantization in ("none", "4bit"):
        with pytest.raises(ValueError, match=r"is stored quantized .*--quantization 8bit or 4bit quantizes it"):
            load_base(str(base), quantization=quantization)


def test_whole_numbers_as_weights_are_refused(base):
    weights = load_file(base / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"] = weights["model.layers.0.mlp.up_proj.weight"].to(torch.int8)
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    assert "stored quantized ('model.layers.0.mlp.up_proj.weight' is I8)" in refusal(base)


def test_a_base_is_never_another_base(base, saved):
    """transformers would follow the adapter's file to the second base, or put the adapter on silently."""
    (base / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(saved)}))
    assert "It holds an adapter" in refusal(base)
    (base / "config.json").unlink()
    (base / "model.safetensors").unlink()
    assert "Give it with --adapter, and its base with --base" in refusal(base)


def test_weights_of_another_folder_are_refused(base, saved):
    (base / "model.safetensors").rename(base / "other.safetensors")
    keys = load_file(saved / "model.safetensors")
    for name in ("../base/other.safetensors", str(saved / "model.safetensors"), "model.bin", 3):
        (base / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(keys, name)}))
        assert "safetensors files of the same folder" in refusal_of_load(base)
    (base / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": dict.fromkeys(keys, "other.safetensors")})
    )
    assert load_base(str(base))


def refusal_of_load(folder: Path) -> str:
    with pytest.raises(ValueError, match=r"\A[^\n]*\Z") as raised:
        load_base(str(folder))
    return str(raised.value)


@pytest.mark.parametrize(
    "setting",
    [
        {"attn_implementation": "evil/kernel"},
        {"_attn_implementation": "evil/kernel@main:f"},
        {"_attn_implementation_internal": "kernels-community/flash-attn2"},
        {"attn_implementation": {"": "sdpa", "text_config": "evil/kernel"}},
        {"text_config": {"attn_implementation": "evil/kernel"}},
        {"sub": [{"_attn_implementation": "paged|evil/kernel"}]},
        {"experts_implementation": "evil/kernel"},
        {"attn_implementation": 5},
        {"use_kernels": True},
        {"transformers_weights": "other.safetensors"},
        {"configuration_files": ["config.4.0.0.json"]},
    ],
)
def test_a_configuration_brings_no_code_and_no_other_file(base, setting):
    edit(base / "config.json", **setting)
    assert "config.json" in refusal_of_load(base)
    with pytest.raises(ValueError, match=r"config\.json"):
        read_config(base)


def test_an_attention_that_is_not_installed_is_replaced_by_that_of_torch(base):
    expected = load_base(str(base)).lm_head.weight
    edit(base / "config.json", _attn_implementation="flash_attention_2")
    model = load_base(str(base))
    assert model.config._attn_implementation == "sdpa"
    assert torch.equal(model.lm_head.weight, expected)


@pytest.mark.parametrize(
    "setting",
    [
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": 999},
        {"hidden_size": 10**12},
        {"vocab_size": 10**9},
        {"intermediate_size": 10**15},
        {"num_labels": 10**9},
        {"model_type": "qwen2", "num_hidden_layers": 10**9},
        {"num_attention_heads": 0},
        {"num_attention_heads": -2},
        {"hidden_size": "wide"},
        {"rms_norm_eps": None},
        {"vocab_size": None},
        {"hidden_act": "exec"},
        {"rope_parameters": [1]},
        {"model_type": "no_such_model"},
        {"model_type": 7},
        {"architectures": 3},
        {"auto_map": {"AutoModelForCausalLM": "evil--x.y"}, "model_type": "evil"},
    ],
    ids=str,
)
def test_a_configuration_that_the_weights_do_not_fill_is_refused_at_once(base, setting):
    edit(base / "config.json", **setting)
    begin = time.process_time()
    refusal_of_load(base)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", "3", '"x"', "{}", "\x00\xff", '{"a":' * 5000 + "1" + "}" * 5000, "9" * 9000]
)
def test_a_broken_configuration_is_one_line_that_names_it(base, text):
    (base / "config.json").write_bytes(text.encode("latin-1"))
    assert "config.json" in refusal_of_load(base)
    assert "config.json" in str(missing(Needs(dataset="nowhere", config_name="x", base=str(base)))[1])


def load_tokenizer_or_none(base: Path):
    with contextlib.suppress(ValueError):
        return load_tokenizer(str(base))


@pytest.mark.parametrize("name", ["tokenizer_config.json", "tokenizer.json", "special_tokens_map.json"])
@pytest.mark.parametrize("text", ["{", "[1]", "null"])
def test_a_broken_tokenizer_is_one_line_that_names_it(base, tiny_tokenizer, name, text):
    tiny_tokenizer.save_pretrained(base)
    (base / name).write_text(text)
    if name == "special_tokens_map.json" and load_tokenizer_or_none(base):
        return  # this version of the library has no need of it
    with pytest.raises(ValueError, match=rf"\A[^\n]*{name}[^\n]*\Z"):
        load_tokenizer(str(base))


@pytest.mark.parametrize("text", ["{", "[1]", "null"])
def test_a_broken_generation_config_is_left_out_or_is_one_line_that_names_it(base, text):
    """No text is generated, so it need not be read."""
    (base / "generation_config.json").write_text(text)
    try:
        assert load_base(str(base))
    except ValueError as error:
        said = str(error)
    else:
        said = "generation_config.json"
    assert "generation_config.json" in said
    assert "\n" not in said


def header(text: bytes, size: int | None = None) -> bytes:
    return (len(text) if size is None else size).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        header(b"{"),
        header(b"{}", 2**62),
        header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'),
        header(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
        )
        + b"0000",
        header(b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}') + b"0000",
        header(b'{"a":{"dtype":"X","shape":[],"data_offsets":[0,4]}}') + b"0000",
    ],
    ids=["empty", "cut", "huge", "no data", "overlap", "overflow", "format"],
)
def test_a_damaged_header_is_one_line_that_names_the_file(base, content):
    (base / "model.safetensors").write_bytes(content)
    said = "is not a whole safetensors file" if content else "is empty"
    assert f"model.safetensors {said}" in refusal_of_load(base)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["adapter/adapter_config.json", "recipe.yaml"], "It is a run folder. Its adapter is"),
        (["model/features.json", "model/config.json"], "It is the run folder of a CTR model. Score it with --model"),
        (["features.json", "config.json", "model.safetensors"], "It is a CTR model. Score it with --model"),
        (["samples/a.parquet", "items/a.parquet", "README.md"], "It is a data set. Give it with --dataset"),
        (["README.md"], "It has no config.json"),
        (["adapter_model.safetensors", "config.json"], "It holds an adapter"),
    ],
)
def test_other_folders_are_told_apart(tmp_path, files, message):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert message in refusal(tmp_path)
    assert message in missing(Needs(dataset="nowhere", config_name="x", base=str(tmp_path)))[1]
    with pytest.raises(ValueError, match="cannot be loaded"):
        encoder_revision(str(tmp_path))


def encoder(folder: Path, tokenizer, kind: str, config: str, shape: dict) -> str:
    tokenizer.save_pretrained(save(folder, kind, config, shape | {"vocab_size": len(tokenizer)}))
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("LlamaForCausalLM", "LlamaConfig"),
        ("BertForMaskedLM", "BertConfig"),
        ("BertForSequenceClassification", "BertConfig"),
    ],
)
def test_encoders_are_the_bodies_of_other_models_too(tmp_path, tiny_tokenizer, kind, config):
    loaded = load_encoder(encoder(tmp_path, tiny_tokenizer, kind, config, SHAPE))
    assert encode(loaded, ["a movie"]).shape == (1, 16)


def test_an_encoder_is_loaded_whole_from_its_own_files(tmp_path, tiny_tokenizer):
    folder = encoder(tmp_path / "llama", tiny_tokenizer, "LlamaForCausalLM", "LlamaConfig", SHAPE)
    config = Path(folder) / "config.json"
    before = config.read_text()
    for changes in (
        {"num_hidden_layers": 1},
        {"num_hidden_layers": 3},
        {"quantization_config": {"quant_method": "gptq"}},
    ):
        config.write_text(json.dumps(json.loads(before) | changes))
        with pytest.raises(ValueError, match=r"The encoder '.*' cannot be loaded: [^\n]*\Z"):
            load_encoder(folder)
    config.write_text(before)
    (config.parent / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "x/y"}')
    for use in (load_encoder, encoder_revision):
        with pytest.raises(ValueError, match="It holds an adapter"):
            use(folder)


def test_models_that_give_no_vector_of_a_text_are_no_encoders(tmp_path, tiny_tokenizer):
    for name, kind, config, shape in (
        ("t5", "T5Model", "T5Config", {"d_model": 16, "num_layers": 1, "num_heads": 2, "d_ff": 16}),
        (
            "vit",
            "ViTModel",
            "ViTConfig",
            {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
        ),
    ):
        with pytest.raises(ValueError, match=r"cannot be loaded: [^\n]*\Z"):
            load_encoder(encoder(tmp_path / name, tiny_tokenizer, kind, config, shape))


def test_a_prompt_that_an_answer_is_drawn_for_at_random_is_refused(base, monkeypatch):
    plain = LlamaForCausalLM.forward

    def noisy(self, *arguments, **options):
        answer = plain(self, *arguments, **options)
        answer.logits = answer.logits + torch.randn_like(answer.logits)
        return answer

    monkeypatch.setattr(LlamaForCausalLM, "forward", noisy)
    assert "draws at random" in refusal_of_load(base)


def test_a_file_of_json_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("rella_hub.tables.checked.LARGEST", 10)
    (tmp_path / "a.json").write_text('{"a": "0123456789"}')
    with pytest.raises(ValueError, match=r"a\.json has more than 10 bytes"):
        read_object(tmp_path / "a.json")
