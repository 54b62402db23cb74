"""Adapters that this project did not make: those of every kind score as PEFT alone does, or it is said why they cannot."""

import json
import os
import shutil
import time
from copy import deepcopy
from pathlib import Path

import peft
import pytest
import torch
from peft import get_peft_model
from safetensors.torch import load_file, save_file
from tiny_adapters import IDS, answer, base_at, by_peft_alone, config_of, edit, llama, load, lora, make, zero_shot
from transformers import AutoModelForCausalLM

from rella_hub.language_models import several
from rella_hub.language_models.adapter_config import NOT_SCORED, SCORED, read_adapter_config, resolve_patterns
from rella_hub.language_models.load import (
    adapter_identity,
    base_doubt,
    base_identity,
    load_adapter,
    load_base,
    training_samples,
    write_base_record,
)

LORA = {
    "dora": {"use_dora": True},
    "rslora": {"use_rslora": True},
    "patterns": {"rank_pattern": {"layers.0.self_attn.q_proj": 2}, "alpha_pattern": {"v_proj": 40}},
    "embeddings": {"target_modules": ["embed_tokens", "q_proj"]},
    "head": {"target_modules": ["lm_head"]},
    "modules_to_save": {"modules_to_save": ["embed_tokens", "lm_head"]},
    "token_indices": {"trainable_token_indices": [5, 7]},
    "all_linear": {"target_modules": "all-linear"},
    "expression": {"target_modules": r".*layers\.\d\.self_attn\.(q|v)_proj"},
    "layers": {"layers_to_transform": [1], "layers_pattern": "layers"},
    "bias": {"bias": "lora_only"},
    "pissa": {"init_lora_weights": "pissa"},
    "olora": {"init_lora_weights": "olora"},
    "gaussian": {"init_lora_weights": "gaussian"},
    "no_task": {"task_type": None},
    "parameters": {"target_parameters": ["self_attn.o_proj.weight"], "lora_dropout": 0.0},
}
CHANGE_THE_BASE = ("bias", "pissa", "olora")


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return llama(tmp_path_factory.mktemp("foreign") / "base")


@pytest.fixture(scope="module")
def plain(base, tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("foreign") / "plain", base, lora())


@pytest.fixture(scope="module")
def plain_answer(base, plain) -> torch.Tensor:
    return by_peft_alone(base, plain)


@pytest.fixture
def adapter(plain, tmp_path) -> Path:
    return Path(shutil.copytree(plain, tmp_path / "adapter"))


def load_both(base: Path, *adapters: Path):
    model, identity = deepcopy(base_at(base)), base_identity(str(base))
    return several.load_adapters(model, identity, [(str(adapter), None) for adapter in adapters], [5, 6])


@pytest.mark.parametrize("kind", SCORED)
def test_every_kind_that_is_scored_answers_as_peft_alone_does_alone_and_beside_another(
    base, plain, plain_answer, tmp_path, kind
):
    adapter = make(tmp_path / "adapter", base, config_of(kind))
    torch.manual_seed(3)
    expected = by_peft_alone(base, adapter)
    torch.manual_seed(4)
    assert torch.equal(answer(load(base, adapter)), expected)
    assert (expected - zero_shot(base)).abs().max() > 1e-3
    try:
        model = load_both(base, plain, adapter)
    except ValueError as error:
        assert "beside the other adapters" in str(error)  # noqa: PT017
        return
    for number, wanted in ((1, expected), (0, plain_answer), (None, zero_shot(base)), (1, expected)):
        several.activate(model, number)
        assert torch.equal(answer(model), wanted)


@pytest.mark.parametrize("variant", LORA)
def test_every_form_of_lora_answers_as_peft_alone_does_alone_and_beside_another(
    base, plain, plain_answer, tmp_path, variant
):
    adapter = make(tmp_path / "adapter", base, lora(**LORA[variant]))
    expected = by_peft_alone(base, adapter)
    assert torch.equal(answer(load(base, adapter)), expected)
    if variant in CHANGE_THE_BASE:
        with pytest.raises(ValueError, match=r"changes weights of its base itself .*Score it alone"):
            load_both(base, plain, adapter)
        return
    for first in (True, False):
        try:
            model = load_both(base, *((adapter, plain) if first else (plain, adapter)))
        except ValueError as error:
            assert variant == "token_indices", error  # noqa: PT017
            assert "beside the other adapters" in str(error)  # noqa: PT017
            continue
        own = 0 if first else 1
        for number, wanted in (
            (own, expected),
            (1 - own, plain_answer),
            (None, zero_shot(base)),
            (own, expected),
        ):
            several.activate(model, number)
            assert torch.equal(answer(model), wanted)


def test_embeddings_saved_beside_an_adapter_replace_the_base_s_alone_and_never_those_of_others(base, plain, tmp_path):
    """Of a token that no probe holds, too."""
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora())
    with torch.no_grad():
        tuned.get_input_embeddings().weight[IDS[0, 2]] += 1
    tuned.save_pretrained(tmp_path / "adapter", save_embedding_layers=True)
    assert "base_model.model.model.embed_tokens.weight" in load_file(tmp_path / "adapter/adapter_model.safetensors")
    loaded = answer(load(base, tmp_path / "adapter"))
    assert torch.equal(loaded, by_peft_alone(base, tmp_path / "adapter"))
    assert (loaded - zero_shot(base)).abs().max() > 1e-2
    for pair in ((plain, tmp_path / "adapter"), (tmp_path / "adapter", plain)):
        with pytest.raises(
            ValueError, match=r"brings weights of the base itself that differ from it .*embed_tokens.* Score it alone"
        ):
            load_both(base, *pair)


def test_a_vocabulary_that_was_enlarged_is_refused_with_what_to_do(base, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(base)
    model.resize_token_embeddings(43)
    get_peft_model(model, lora()).save_pretrained(tmp_path / "saved", save_embedding_layers=True)
    get_peft_model(model, lora(modules_to_save=["embed_tokens"])).save_pretrained(
        tmp_path / "trained", save_embedding_layers=False
    )
    for name in ("saved", "trained"):
        with pytest.raises(ValueError, match=r"brings a vocabulary of 43 tokens .*, the base has 40.* Merge it"):
            load(base, edit(tmp_path / name, base_model_name_or_path=str(base)))


@pytest.mark.parametrize("kind", [kind for kind in peft.PeftType.__members__ if kind not in SCORED])
def test_other_kinds_are_refused_by_name_before_anything_is_opened(base, adapter, kind):
    edit(adapter, peft_type=kind, adapters={"one": "/etc"}, shadow_model="x/y", tokenizer_name_or_path="/etc")
    for use in (lambda: adapter_identity(str(adapter)), lambda: load(base, adapter)):
        with pytest.raises(ValueError, match=rf"is of type {kind}: {NOT_SCORED.get(kind, '')}"):
            use()


def test_an_adapter_without_a_record_is_taken_on_every_path_to_the_folder_that_it_names(
    base, adapter, tmp_path, monkeypatch
):
    monkeypatch.chdir(base.parent)
    link = tmp_path / "link"
    link.symlink_to(base)
    for named in (f"{base}/", f"{base}/../base", f"{base.parent}/./base", "base", "./base/", str(link), str(base)):
        for given in ("base", f"{base}/", str(link)):
            said = base_doubt(base_identity(given), str(edit(adapter, base_model_name_or_path=named)))
            assert "cannot be proved: it says no hash of the weights" in said
            assert "\n" not in said
    assert load_adapter(load_base("base/"), base_identity("base/"), str(adapter))


@pytest.mark.parametrize("named", ["meta-llama/Llama-2-7b-hf", "gpt2", None, ""])
def test_a_copy_of_a_hub_s_base_or_a_base_without_a_name_is_taken_with_one_sentence(base, adapter, named):
    edit(adapter, base_model_name_or_path=named)
    assert load(base, adapter)
    said = base_doubt(base_identity(str(base)), str(adapter))
    assert ("cannot be proved: the base given is a folder" if named else "does not say what it was trained on") in said


def test_the_snapshot_of_a_hub_s_base_is_proved_by_its_commit(base, adapter, tmp_path):
    snapshot = tmp_path / "models--me--small" / "snapshots" / ("a" * 40)
    shutil.copytree(base, snapshot)
    identity = base_identity(str(snapshot))
    edit(adapter, base_model_name_or_path="me/small", revision="a" * 40)
    assert base_doubt(identity, str(adapter)) is None
    assert "says no commit" in base_doubt(identity, str(edit(adapter, revision=None)))
    with pytest.raises(ValueError, match="another revision"):
        base_doubt(identity, str(edit(adapter, revision="b" * 40)))
    with pytest.raises(ValueError, match="another name"):
        base_doubt(identity, str(edit(adapter, base_model_name_or_path="me/other")))


def test_another_base_needs_an_option_that_says_so(base, adapter, tmp_path):
    other = llama(tmp_path / "other", seed=7)
    for named in (str(other), "/nowhere/at/all", "a" * 5000, "x\0y"):
        edit(adapter, base_model_name_or_path=named)
        with pytest.raises(ValueError, match=r"was trained on .*another name.*--any_base true"):
            load(base, adapter)
        assert "its scores may mean nothing" in base_doubt(base_identity(str(base)), str(adapter), any_base=True)
        assert load(base, adapter, any_base=True)
    write_base_record(adapter, base_identity(str(other)))
    with pytest.raises(ValueError, match="other weights"):
        load(base, adapter)
    assert load(base, adapter, any_base=True)
    wide = llama(tmp_path / "wide", hidden_size=32)
    with pytest.raises(ValueError, match="does not fit its base model"):
        load(wide, adapter, any_base=True)


def test_a_record_proves_the_base_wherever_it_lies(base, adapter, tmp_path):
    write_base_record(adapter, base_identity(str(base)))
    moved = shutil.copytree(base, tmp_path / "moved")
    assert base_doubt(base_identity(str(moved)), str(adapter)) is None


BROKEN = ["", "{", "[1]", "null", "3", '"x"', '{"a":' * 2000 + "1" + "}" * 2000, "\x00\xff", '{"peft_type": ']


@pytest.mark.parametrize("text", BROKEN)
@pytest.mark.parametrize("name", ["adapter_config.json", "base_model.json"])
def test_a_broken_file_is_one_line_that_names_it(base, adapter, name, text):
    (adapter / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=rf"\A[^\n]*{name}[^\n]*\Z"):
        load(base, adapter)
    if name == "adapter_config.json":
        with pytest.raises(ValueError, match=rf"\A[^\n]*{name}[^\n]*\Z"):
            adapter_identity(str(adapter))


@pytest.mark.parametrize(
    "record", [{}, {"name": "x"}, {"name": 3, "revision": "x"}, {"name": "x", "revision": "x", "weights": []}]
)
def test_a_record_of_something_else_is_refused(base, adapter, record):
    (adapter / "base_model.json").write_text(json.dumps(record))
    with pytest.raises(
        ValueError, match=r"base_model\.json has (name|revision|weights): .*expected what names and pins a base"
    ):
        load(base, adapter)


def test_the_record_of_another_trainer_says_nothing(adapter):
    for text, samples in (("[1, 2]", None), ('{"loss": NaN}', None), ('{"training_samples": 12}', 12)):
        (adapter / "training.json").write_text(text)
        assert training_samples(str(adapter)) == samples
    for text in ("{", '{"training_samples": "many"}', '{"training_samples": -1}', '{"training_samples": true}'):
        (adapter / "training.json").write_text(text)
        with pytest.raises(ValueError, match=r"training\.json"):
            training_samples(str(adapter))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "NEW"}, "peft_type 'NEW'"),
        ({"peft_type": None}, "peft_type None"),
        ({"peft_type": ["LORA"]}, "peft_type a group of 1 values"),
        ({"task_type": "SEQ_CLS"}, "task_type 'SEQ_CLS'"),
        ({"task_type": 1}, "task_type 1"),
        ({"base_model_name_or_path": {"a": 1}}, "names its base"),
        ({"r": 10**9}, "r: 1000000000, more than any size"),
        ({"r": -1}, "."),
        ({"r": 0}, "."),
        ({"r": "4"}, "."),
        ({"r": 5}, "does not fit its base model"),
        ({"r": 60_000}, "."),
        ({"lora_alpha": float("nan")}, "lora_alpha: nan; expected a finite number"),
        ({"lora_alpha": 1e999}, "expected a finite number"),
        ({"lora_alpha": "x"}, "."),
        ({"lora_alpha": None}, "."),
        ({"lora_dropout": 7}, "."),
        ({"rank_pattern": {"q_proj": 10**7}}, "more than any size"),
        ({"rank_pattern": [1]}, "."),
        ({"rank_pattern": {"(a|a)*b": 4}}, "expected plain names of modules"),
        ({"alpha_pattern": {"(.*)*x": 4}}, "expected plain names of modules"),
        ({"layers_pattern": "(a+)+$", "layers_to_transform": [0]}, "expected plain names of modules"),
        ({"layers_pattern": ["x", "(a+)+$"], "layers_to_transform": [0]}, "expected plain names of modules"),
        ({"layers_to_transform": [99]}, "."),
        ({"target_modules": []}, "."),
        ({"target_modules": 3}, "."),
        ({"target_modules": ["nothing"]}, "."),
        ({"target_modules": r"(q_proj"}, "is not a simple one"),
        ({"target_modules": r"(?=q).*_proj"}, "is not a simple one"),
        ({"target_modules": ["q_proj"]}, "4 without a place"),
        ({"target_modules": ["q_proj", "v_proj", "o_proj"]}, "4 weights missing"),
        ({"modules_to_save": ["lm_head"]}, "no weight 'base_model.model.lm_head.weight' was found"),
        ({"modules_to_save": 5}, "."),
        ({"trainable_token_indices": [10**9]}, "."),
        ({"trainable_token_indices": [3]}, "no weight '.*' was found"),
        ({"layer_replication": [[0, 10**9]]}, "layer_replication: it would build another model"),
        ({"layer_replication": [[0, 2], [1, 2]]}, "layer_replication: it would build another model"),
        ({"megatron_config": {"a": 1}, "megatron_core": "os"}, "megatron_config: it would import"),
        ({"loftq_config": {"loftq_bits": 4}}, "loftq_config"),
        ({"eva_config": {"rho": 2}}, "eva_config"),
        ({"corda_config": {"cache_file": "/etc/passwd"}}, "corda_config"),
        ({"init_lora_weights": "loftq"}, "init_lora_weights 'loftq'"),
        ({"init_lora_weights": "pissa_niter_1000000000"}, "init_lora_weights 'pissa_niter_1000000000'"),
        ({"init_lora_weights": "/etc/passwd"}, "init_lora_weights"),
        ({"init_lora_weights": 3}, "init_lora_weights 3"),
        ({"alora_invocation_tokens": [3]}, "alora_invocation_tokens"),
        ({"a_setting_of_tomorrow": "on"}, "which the installed PEFT does not know"),
        ({"use_dora": True}, "4 weights missing"),
        ({"bias": "some"}, "."),
    ],
    ids=str,
)
def test_a_configuration_that_cannot_be_used_is_refused_in_one_line_at_once(base, adapter, changes, message):
    edit(adapter, **changes)
    begin = time.process_time()
    with pytest.raises(ValueError, match=rf"\A[^\n]*{message}[^\n]*\Z"):
        load(base, adapter)
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "changes",
    [
        {"auto_mapping": {"base_model_class": "X", "parent_library": "antigravity"}, "task_type": None},
        {"megatron_core": "antigravity"},
        {"a_setting_of_tomorrow": None},
        {"runtime_config": {"a": 1}},
        {"peft_version": "99.0.0"},
        {"inference_mode": False},
        {"init_lora_weights": False},
    ],
    ids=str,
)
def test_settings_that_change_no_answer_are_left_out(base, plain, adapter, changes):
    edit(adapter, base_model_name_or_path=str(base), **changes)
    assert torch.equal(answer(load(base, adapter)), by_peft_alone(base, plain))


@pytest.mark.parametrize("field", ["target_modules", "exclude_modules"])
def test_a_regular_expression_that_would_run_for_years_takes_no_time(base, adapter, field):
    edit(
        adapter,
        base_model_name_or_path=str(base),
        **{field: r"((\w|\.)+)+!" if field == "target_modules" else r"((\w|\.)*)*!"},
    )
    begin = time.process_time()
    if field == "target_modules":
        with pytest.raises(ValueError, match="does not fit its base model"):
            load(base, adapter)
    else:
        assert load(base, adapter)
    assert time.process_time() - begin < 5


def test_a_regular_expression_finds_the_modules_that_it_found_when_it_was_trained(base, plain):
    config = read_adapter_config(plain, 16)
    config.target_modules = r"model\.layers\.[01]\.(self_attn|mlp)\.(q|up)_proj"
    resolve_patterns(config, load(base, plain).get_base_model())
    assert config.target_modules == {
        f"model.layers.{n}.{name}" for n in (0, 1) for name in ("self_attn.q_proj", "mlp.up_proj")
    }


def test_folders_that_are_no_adapter_are_told_apart(base, adapter, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(adapter, run / "adapter")
    (tmp_path / "data" / "samples").mkdir(parents=True)
    for folder, said in (
        (base, "it is a whole model; give it with --base"),
        (run, f"but {run / 'adapter'} has: give that"),
        (tmp_path / "data", "it is a data set; give it with --dataset"),
    ):
        for use in (lambda folder=folder: adapter_identity(str(folder)), lambda folder=folder: load(base, folder)):
            with pytest.raises(ValueError, match=r"has no adapter_model\.safetensors") as raised:
                use()
            assert said in str(raised.value)


def test_values_of_weights_that_are_not_finite_are_refused_or_seen(base, adapter):
    file = adapter / "adapter_model.safetensors"
    weights = load_file(file)
    weights[min(weights)].fill_(float("nan"))
    save_file(weights, file, metadata={"format": "pt"})
    edit(adapter, base_model_name_or_path=str(base))
    for use in (load, load_both):
        with pytest.raises(ValueError, match=r"The adapter '.*' cannot be scored: .* not finite"):
            use(base, adapter)


def test_what_is_named_is_not_opened(base, adapter, tmp_path):
    """A pipe that nobody writes to would hold a reader for ever."""
    os.mkfifo(tmp_path / "model.safetensors")
    edit(adapter, base_model_name_or_path=str(tmp_path))
    with pytest.raises(ValueError, match="another name"):
        load(base, adapter)
