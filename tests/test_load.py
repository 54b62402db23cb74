"""Base models and adapters load whole or not at all: what is missing, foreign, damaged or pickled is an error, never a zero-shot."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

from rella_hub.language_models.load import (
    adapter_identity,
    base_identity,
    load_adapter,
    load_base,
    load_tokenizer,
    write_base_record,
)
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.tokens import Answers

ANSWERS, PROMPTS = Answers(no=3, yes=4), [[5, 6, 7], [8], [9, 10, 11, 12]]
KEY = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"


def llama(seed: int, **shape) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2} | shape
    return LlamaForCausalLM(LlamaConfig(vocab_size=40, initializer_range=0.3, **shape))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A base model and an adapter of it."""
    folder = tmp_path_factory.mktemp("load")
    llama(0).save_pretrained(folder / "base")
    make_adapter(folder / "base", folder / "adapter")
    return folder


def make_adapter(base: Path, adapter: Path) -> None:
    config = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    tuned = get_peft_model(load_base(str(base)), config)
    torch.manual_seed(1)
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    tuned.save_pretrained(adapter)
    write_base_record(adapter, base_identity(str(base)))


@pytest.fixture
def base(made) -> str:
    return str(made / "base")


@pytest.fixture
def adapter(made, tmp_path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made / "adapter", tmp_path / "adapter"))


@pytest.fixture
def damaged_base(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "base", tmp_path / "base"))


def change_weights(file: Path, change) -> None:
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def load_on(base: str, adapter: Path | str):
    return load_adapter(load_base(base), base_identity(base), str(adapter))


def test_a_good_adapter_loads_and_changes_the_scores(base, adapter):
    tuned = load_on(base, adapter)
    stored = load_file(adapter / "adapter_model.safetensors")
    held = dict(tuned.named_parameters())
    assert len(stored) == 8
    for key, weight in stored.items():
        assert torch.equal(held[key.replace(".weight", ".default.weight")], weight)
    zero_shot = p_yes(load_base(base), PROMPTS, ANSWERS)
    assert np.abs(p_yes(tuned, PROMPTS, ANSWERS) - zero_shot).min() > 1e-3


def test_an_adapter_scores_as_its_weights_merged_by_hand(base, adapter):
    """W + (alpha / r) B A, written into the base's own weights."""
    config = json.loads((adapter / "adapter_config.json").read_text())
    stored = load_file(adapter / "adapter_model.safetensors")
    merged = load_base(base)
    with torch.no_grad():
        for i, layer in enumerate(merged.model.layers):
            for name in ("q_proj", "v_proj"):
                a, b = (stored[f"base_model.model.model.layers.{i}.self_attn.{name}.lora_{x}.weight"] for x in "AB")
                getattr(layer.self_attn, name).weight += config["lora_alpha"] / config["r"] * b @ a
    assert p_yes(load_on(base, adapter), PROMPTS, ANSWERS) == pytest.approx(p_yes(merged, PROMPTS, ANSWERS), abs=1e-5)


def test_a_missing_weight_is_refused(base, adapter):
    change_weights(adapter / "adapter_model.safetensors", lambda weights: weights.pop(KEY))
    with pytest.raises(
        ValueError, match=rf"does not load whole: 1 weights missing, 0 without a place; it misses {KEY}"
    ):
        load_on(base, adapter)


def test_a_foreign_weight_is_refused(base, adapter):
    foreign = KEY.replace("layers.0", "layers.7")
    change_weights(adapter / "adapter_model.safetensors", lambda w: w.update({foreign: torch.zeros(16, 4)}))
    message = rf"0 weights missing, 1 without a place; it has {foreign}, which the base has no place for"
    with pytest.raises(ValueError, match=message):
        load_on(base, adapter)


def test_renamed_weights_are_refused(base, adapter):
    """What an adapter of another framework looks like: every key is there, under another name."""

    def rename(weights):
        for key in list(weights):
            weights[key.replace("base_model.model.", "")] = weights.pop(key)

    change_weights(adapter / "adapter_model.safetensors", rename)
    with pytest.raises(ValueError, match="does not load whole: 8 weights missing, 8 without a place"):
        load_on(base, adapter)


def test_a_weight_of_another_shape_is_refused(base, adapter):
    change_weights(adapter / "adapter_model.safetensors", lambda w: w.update({KEY: torch.zeros(24, 4)}))
    with pytest.raises(ValueError, match=r"does not fit its base model: .*24, 4.*16, 4"):
        load_on(base, adapter)


def test_an_adapter_of_a_wider_base_is_refused(adapter, tmp_path):
    """Without the record of its base, and under the same name, the shapes still tell."""
    llama(0, hidden_size=32).save_pretrained(tmp_path / "wide")
    (adapter / "base_model.json").unlink()
    wide = str(tmp_path / "wide")
    with pytest.raises(ValueError, match=r"was trained on .*base.*Pass the base that it was trained on with --base"):
        load_on(wide, adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": wide}))
    with pytest.raises(ValueError, match="does not fit its base model"):
        load_on(wide, adapter)


def test_an_adapter_of_another_base_of_the_same_shape_is_refused(base, adapter, tmp_path):
    llama(7).save_pretrained(tmp_path / "other")
    other = str(tmp_path / "other")
    with pytest.raises(ValueError, match="Pass the base that it was trained on") as raised:
        load_on(other, adapter)
    for said in (f"was trained on {base}", base_identity(base)["revision"], base_identity(other)["revision"], "--base"):
        assert said in str(raised.value)


def test_a_base_that_was_moved_is_the_same_base(base, adapter, tmp_path):
    moved = str(shutil.copytree(base, tmp_path / "moved"))
    assert p_yes(load_on(moved, adapter), PROMPTS, ANSWERS) == pytest.approx(
        p_yes(load_on(base, adapter), PROMPTS, ANSWERS)
    )


def test_an_adapter_without_safetensors_is_refused(base, adapter):
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(ValueError, match=r"has no adapter_model\.safetensors.*pickled weights \(\.bin\) are not read"):
        load_on(base, adapter)


def test_a_pickled_adapter_is_refused(base, adapter):
    weights = load_file(adapter / "adapter_model.safetensors")
    torch.save(weights, adapter / "adapter_model.bin")
    (adapter / "adapter_model.safetensors").unlink()
    for load in (lambda: load_on(base, adapter), lambda: adapter_identity(str(adapter))):
        with pytest.raises(
            ValueError, match=r"has no adapter_model\.safetensors.*pickled weights \(\.bin\) are not read"
        ):
            load()


@pytest.mark.parametrize("kept", [0, 4, 200, -1])
def test_a_truncated_adapter_is_refused(base, adapter, kept):
    file = adapter / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        ValueError, match=r"adapter_model\.safetensors is (empty|not a whole safetensors file .*Get the adapter again)"
    ):
        load_on(base, adapter)


def test_an_adapter_without_its_config_is_refused(base, adapter):
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(ValueError, match=r"adapter_config\.json"):
        load_on(base, adapter)


def test_an_adapter_that_is_not_there_is_refused(base):
    with pytest.raises(ValueError, match=r"'rella/nowhere' cannot be reached"):
        load_on(base, "rella/nowhere")


def test_identities_pin_the_weights(base, made, tmp_path):
    identity = base_identity(base)
    assert identity["name"] == base
    llama(0).save_pretrained(tmp_path / "same")
    llama(1).save_pretrained(tmp_path / "other")
    assert base_identity(str(tmp_path / "same"))["revision"] == identity["revision"]
    assert base_identity(str(tmp_path / "other"))["revision"] != identity["revision"]
    first = adapter_identity(str(made / "adapter"))
    shutil.copytree(made / "adapter", tmp_path / "adapter")
    assert adapter_identity(str(tmp_path / "adapter"))["sha256"] == first["sha256"]
    change_weights(tmp_path / "adapter/adapter_model.safetensors", lambda weights: weights[KEY].add_(1))
    assert adapter_identity(str(tmp_path / "adapter"))["sha256"] != first["sha256"]


def test_a_base_loads_as_it_was_saved(base):
    loaded, saved = load_base(base), llama(0)
    assert loaded.dtype == torch.float32
    for name, weight in saved.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weight)
    assert load_base(base, dtype="bfloat16").dtype == torch.bfloat16


def test_a_pickled_base_is_refused(damaged_base):
    weights = load_file(damaged_base / "model.safetensors")
    (damaged_base / "model.safetensors").unlink()
    torch.save(weights, damaged_base / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"cannot be loaded: .*safetensors"):
        load_base(str(damaged_base))


@pytest.mark.parametrize("kept", [0, 100, -1])
def test_a_truncated_base_is_refused(damaged_base, kept):
    file = damaged_base / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"The base model '.*base' cannot be loaded"):
        load_base(str(damaged_base))


def test_a_base_with_a_missing_weight_is_refused(damaged_base):
    """transformers would draw it at random, say so in a log, and go on."""
    key = "model.layers.1.mlp.up_proj.weight"
    change_weights(damaged_base / "model.safetensors", lambda weights: weights.pop(key))
    with pytest.raises(ValueError, match=rf"does not load whole: 1 weights are missing, such as {key}"):
        load_base(str(damaged_base))


def test_a_base_with_a_weight_of_another_shape_is_refused(damaged_base):
    key = "model.layers.1.mlp.up_proj.weight"
    change_weights(damaged_base / "model.safetensors", lambda weights: weights.update({key: torch.zeros(3, 16)}))
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_base(str(damaged_base))


def test_an_encoder_is_no_base(tmp_path):
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=40, **shape)).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="or it is no causal language model"):
        load_base(str(tmp_path))


def test_a_base_that_is_not_there_is_refused(tmp_path):
    for load in (load_base, load_tokenizer, base_identity):
        with pytest.raises(ValueError, match=r"'rella/nowhere' cannot be loaded: .*training/pretrain\.py"):
            load("rella/nowhere")
        with pytest.raises(ValueError, match="cannot be loaded"):
            load(str(tmp_path))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"dtype": "float8"}, r"--dtype is 'float8'; expected one of auto, float32, bfloat16, float16"),
        ({"quantization": "3bit"}, r"--quantization is '3bit'; expected one of none, 8bit, 4bit"),
    ],
)
def test_unknown_number_formats_are_refused(base, option, message):
    with pytest.raises(ValueError, match=message):
        load_base(base, **option)


def test_a_quantized_base_scores_nearly_alike_and_takes_an_adapter(base, adapter, quantization):
    whole = p_yes(load_on(base, adapter), PROMPTS, ANSWERS)
    quantized = load_adapter(load_base(base, quantization=quantization), base_identity(base), str(adapter))
    found = p_yes(quantized, PROMPTS, ANSWERS)
    assert found == pytest.approx(whole, abs={"8bit": 0.05, "4bit": 0.3}[quantization])
    assert np.abs(found - whole).max() > 1e-6, "nothing was quantized"
    assert np.abs(found - p_yes(load_base(base, quantization=quantization), PROMPTS, ANSWERS)).max() > 1e-3


@pytest.mark.parametrize(
    "shape",
    [{}, {"hidden_size": 24, "intermediate_size": 40}, {"hidden_size": 64, "intermediate_size": 128}],
    ids=["16x32", "24x40", "64x128"],
)
def test_4_bits_score_and_learn_alike_on_every_cpu(tmp_path, monkeypatch, shape):
    """AVX-512 BF16 is where bitsandbytes would repack the weights: some of these shapes fail then, all lose their gradient."""
    llama(0, **shape).save_pretrained(tmp_path / "base")
    scores, gradients = [], []
    for has_avx512bf16 in (False, True):
        monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda has=has_avx512bf16: has)
        model = load_base(str(tmp_path / "base"), quantization="4bit")
        assert any("Linear4bit" in type(module).__name__ for module in model.modules())
        torch.manual_seed(1)
        tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
        scores.append(p_yes(tuned, PROMPTS, ANSWERS))
        ids = torch.tensor([PROMPTS[0]])
        tuned.train()(input_ids=ids, labels=ids).loss.backward()
        gradients.append([p.grad for name, p in tuned.named_parameters() if "lora_B" in name])
    assert np.array_equal(*scores)
    assert all(one.abs().max() > 0 and torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_no_command_runs_what_the_package_kernels_would_fetch_from_the_hub(tmp_path):
    (tmp_path / "kernels.py").write_text("print('code from the Hub')")
    program = (
        "from rella_hub import cli\n"
        "def main():\n"
        "    from transformers.utils import is_kernels_available\n"
        "    print('available:', is_kernels_available())\n"
        "    import kernels\n"
        "cli.run(main)"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[1])])
    line = [sys.executable, "-c", program]
    done = subprocess.run(line, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=120)
    assert done.stdout == "available: False\n"
    assert "ModuleNotFoundError: import of kernels halted" in done.stderr
