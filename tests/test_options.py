"""No option without an effect: each field of TRL's SFTConfig is refused by name, or honored, and then it changes the run."""

import json
import subprocess
import sys
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames
from trl import SFTConfig

from rella_hub.cards.publishing.arguments import HubArguments
from rella_hub.systems.adapter import values
from rella_hub.systems.adapter.config import NOT_OF_TRL, TuningConfig
from rella_hub.systems.adapter.not_taken import NOT_TAKEN
from rella_hub.systems.adapter.options import Options
from rella_hub.systems.adapter.trainer_arguments import sft_config

REPOSITORY = Path(__file__).parents[1]
SMOKE = REPOSITORY / "training/recipes/smoke/rella.yaml"
FEW = ["--num_shots", "9", "--num_validation", "10", "--num_train_epochs", "1", "--disable_tqdm", "true"]
FEW += ["--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "1", "--logging_strategy", "no"]

# Another value for every option that pins the weights, beside what it has no effect without.
CHANGES_THE_ADAPTER = {
    "num_train_epochs": "2",
    "max_steps": "2",
    "per_device_train_batch_size": "3",
    "gradient_accumulation_steps": "2",
    "learning_rate": "0.002",
    "lr_scheduler_type": "cosine",
    "lr_scheduler_kwargs": '{"num_cycles": 2} --lr_scheduler_type cosine_with_restarts',
    "warmup_steps": "2",
    "optim": "adafactor",
    "weight_decay": "0.5",
    "adam_beta1": "0.5",
    "adam_beta2": "0.5",
    "adam_epsilon": "0.01",
    "max_grad_norm": "0.01",
    "neftune_noise_alpha": "5",
    "seed": "1",
    "data_seed": "1",
    "bf16": "true",
    "dataloader_drop_last": "true",
    # of what is trained
    "num_shots": "8",
    "dtype": "bfloat16",
    "quantization": "8bit",
    "full_finetuning": "true",
    "lora_r": "4",
    "lora_alpha": "32",
    "lora_dropout": "0.5",
    "lora_target_modules": "all-linear",
    "config_name": "subr_k5",
}
# Which epoch is kept, or whether a run ends early: tests of their own in test_sft.py.
CHOOSES_THE_EPOCH = {
    *("eval_strategy", "eval_steps", "eval_delay", "save_strategy", "save_steps", "load_best_model_at_end"),
    *("metric_for_best_model", "greater_is_better", "num_validation", "early_stopping_patience"),
}
# On one CPU the same weights come of it, or it is refused there.
ELSEWHERE = {
    *("use_cpu", "fp16", "tf32", "activation_offloading", "full_determinism", "average_tokens_across_devices"),
    *("activation_checkpointing", "activation_checkpointing_kwargs", "deepspeed"),
    *("torch_compile", "torch_compile_backend", "torch_compile_mode"),
}
INPUTS = {"chat_template_kwargs", "max_length"}
OF_TALLREC = {"instruction_epochs", "loss_on_prompt"}  # tests of their own in test_instructions.py
BESIDE_THE_RECIPE = {one.name for one in fields(TuningConfig) if not one.metadata["pins"]}


def plain() -> TuningConfig:
    return TuningConfig(output_dir="run")


def test_every_option_of_trl_is_honored_or_refused_by_name():
    """A field that a newer TRL adds is in neither, and this fails until somebody has looked at what it does here."""
    of_trl = {one.name for one in fields(SFTConfig) if one.init}
    aliases = {alias for one in fields(TuningConfig) for alias in one.metadata.get("aliases", ())}
    taken = {one.name for kind in (TuningConfig, HubArguments) for one in fields(kind)} | aliases
    assert of_trl - taken - NOT_TAKEN.keys() == set(), "neither taken nor refused"
    assert taken & NOT_TAKEN.keys() == set(), "both taken and refused"
    assert (taken | NOT_TAKEN.keys()) - of_trl == set(), "no option of TRL"
    assert all(reason.startswith("is ") and reason.endswith(".") for reason in NOT_TAKEN.values())


def test_every_option_that_pins_the_weights_is_known_to_these_tests():
    pinning = {one.name for one in fields(Options) if one.metadata["pins"]}
    assert pinning == {*CHANGES_THE_ADAPTER, *CHOOSES_THE_EPOCH, *ELSEWHERE, *INPUTS, *OF_TALLREC}


def test_choices_are_those_of_the_libraries():
    assert set(values.CHOICES["optim"]) <= {one.value for one in OptimizerNames}
    assert set(values.SCHEDULES) <= {one.value for one in SchedulerType}
    assert set(values.TRACKERS) <= set(INTEGRATION_TO_CALLBACK)


OTHER = {
    "dataloader_multiprocessing_context": "spawn",
    "log_level": "info",
    "log_level_replica": "info",
    "logging_strategy": "epoch",
    "run_name": "mine",
    "project": "mine",
    "ddp_timeout": 60,
}
NEEDED = {
    "logging_first_step": {"logging_strategy": "steps"},
    **{name: {"dataloader_num_workers": 1} for name in BESIDE_THE_RECIPE if name.startswith("dataloader_p")},
    "dataloader_multiprocessing_context": {"dataloader_num_workers": 1},
    **{key: {"report_to": ["trackio"]} for key in ("run_name", "project")},
}


TESTED_ELSEWHERE = {"ddp_backend", "save_total_limit"}  # two processes, and the checkpoints that stay, in test_sft.py


@pytest.mark.parametrize(
    "name",
    sorted(BESIDE_THE_RECIPE - {*NOT_OF_TRL} - TESTED_ELSEWHERE),
)
def test_an_option_beside_the_recipe_reaches_the_trainer(name, monkeypatch):
    monkeypatch.setattr(
        "rella_hub.systems.adapter.trainer_arguments.check_here", lambda config: None
    )  # trackers, a GPU
    (one,) = (one for one in fields(TuningConfig) if one.name == name)
    if name == "output_dir":
        other = "elsewhere"
    else:
        other = OTHER.get(name, (not one.default) if isinstance(one.default, bool) or "bool" in one.type else 7)
    given = replace(plain(), **{name: other, **NEEDED.get(name, {})})
    assert one.default is MISSING or other != one.default
    assert getattr(sft_config(given), name) == other


@pytest.fixture(scope="module")
def adapters(command, smoke, tmp_path_factory):
    """Run the smoke recipe on few rows with one more option; the weights' bytes."""
    folder = tmp_path_factory.mktemp("options")

    def run(name: str, *options: str) -> bytes:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(smoke.folder)
            line = ["training/sft.py", "--config", SMOKE, "--output_dir", folder / name, *FEW]
            assert command(*line, *options) == 0
            (weights,) = (folder / name / "adapter").glob("*.safetensors")
            return weights.read_bytes()

    return run, folder, run("plain")


@pytest.mark.parametrize("name", CHANGES_THE_ADAPTER)
def test_an_option_that_pins_the_weights_changes_the_adapter(adapters, name):
    run, folder, before = adapters
    assert run(name, f"--{name}", *CHANGES_THE_ADAPTER[name].split(" --")[0:1], *_more(name)) != before
    recipe = yaml.safe_load((folder / name / "recipe.yaml").read_text())
    assert recipe[name] != yaml.safe_load((folder / "plain/recipe.yaml").read_text()).get(name)


def _more(name: str) -> list[str]:
    _, _, more = CHANGES_THE_ADAPTER[name].partition(" --")
    return f"--{more}".split() if more else []


def test_options_that_only_save_memory_give_the_same_adapter(adapters):
    run, _, before = adapters
    checkpointing = ["--gradient_checkpointing", "true", "--gradient_checkpointing_kwargs", '{"use_reentrant": false}']
    assert run("checkpointing", *checkpointing, "--full_determinism", "true") == before


def test_validation_before_the_first_step_is_that_of_the_base(adapters):
    run, folder, before = adapters
    assert run("on_start", "--eval_on_start", "true") == before
    log = json.loads((folder / "on_start/training.json").read_text())["log"]
    assert next(entry["step"] for entry in log if "eval_auc" in entry) == 0


def test_all_linear_takes_every_linear_layer_but_the_output(adapters, smoke):
    run, folder, _ = adapters
    run("linear", "--lora_target_modules", "all-linear")
    keys = load_file(folder / "linear/adapter/adapter_model.safetensors")
    layers = {key.split(".lora_")[0].rpartition(".")[2] for key in keys}
    assert layers == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


# What is refused.


@pytest.fixture
def refusal(command, smoke, monkeypatch, tmp_path, capsys):
    """What the command says of an option; it must end before anything is loaded."""
    monkeypatch.chdir(smoke.folder)

    def said(*options: str, recipe: Path = SMOKE) -> str:
        monkeypatch.setattr(
            "rella_hub.systems.adapter.train.load_base", lambda *_, **__: pytest.fail("the base was loaded")
        )
        assert command("training/sft.py", "--config", recipe, "--output_dir", tmp_path / "run", *options) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: "), error
        assert error.count("\n") == 1, error
        assert not (tmp_path / "run").exists()
        return error

    return said


def test_every_option_that_is_not_taken_is_refused_by_name(refusal, tmp_path):
    names = list(NOT_TAKEN)
    for name in (names[0], "packing", "hub_token", "fsdp"):
        assert f"--{name} {NOT_TAKEN[name]}" in refusal(f"--{name}", "1")
        assert f"--{name} {NOT_TAKEN[name]}" in refusal(f"--{name.replace('_', '-')}=1")
    for name in names:
        recipe = tmp_path / "recipe.yaml"
        recipe.write_text(yaml.safe_dump({**yaml.safe_load(SMOKE.read_text()), name: 1}))
        assert f"has the key {name!r}, which {NOT_TAKEN[name]}" in refusal(recipe=recipe)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--learning_rate nan", "--learning_rate is nan; expected a number above 0"),
        ("--learning_rate -0.1", "--learning_rate is -0.1; expected"),
        ("--learning_rate inf", "--learning_rate is inf"),
        ("--per_device_train_batch_size 0", "--per_device_train_batch_size is 0; expected a number at least 1"),
        ("--gradient_accumulation_steps 0", "at least 1"),
        ("--num_train_epochs 0", "--num_train_epochs is 0.0; expected a number above 0"),
        ("--max_steps 0", "expected at least 1, or -1"),
        ("--adam_beta2 1", "--adam_beta2 is 1.0; expected a number at least 0 and below 1"),
        ("--seed -1", "--seed is -1"),
        ("--early_stopping_patience 0", "at least 1"),
        ("--lora_dropout 1", "below 1"),
        ("--lora_r 0", "at least 1"),
        ("--optim adam", "--optim is 'adam'; expected one of adamw_torch, "),
        ("--optim galore_adamw", "expected one of"),
        ("--lr_scheduler_type cosin", "--lr_scheduler_type is 'cosin'; expected one of linear, cosine"),
        ("--lr_scheduler_type reduce_lr_on_plateau", "expected one of"),
        ('--lr_scheduler_kwargs {"a":1}', "--lr_scheduler_type linear does not go with --lr_scheduler_kwargs"),
        ("--lr_scheduler_type cosine_with_min_lr", "does not go with --lr_scheduler_kwargs {}"),
        ("--lr_scheduler_kwargs 5", "no JSON mapping"),
        ("--lr_scheduler_type constant --warmup_steps 3", "--warmup_steps 3.0 has no effect without a schedule"),
        ("--optim sgd --adam_beta1 0.5", "--adam_beta1 0.5 has no effect without an optimizer"),
        ("--metric_for_best_model loss", "expected one of auc, log_loss, accuracy"),
        ("--metric_for_best_model log_loss --greater_is_better true", "of log_loss less is better"),
        ("--eval_steps 3", "--eval_steps 3 has no effect with --eval_strategy epoch"),
        ("--save_steps 3", "--save_steps 3 has no effect with --save_strategy epoch"),
        ("--eval_strategy steps", "pass --eval_steps"),
        ("--eval_strategy steps --eval_steps 3", "every checkpoint needs its validation"),
        ("--eval_strategy steps --eval_steps 3 --save_strategy steps --save_steps 4", "no multiple of --eval_steps 3"),
        ("--save_strategy no", "expected one of epoch, steps, best"),
        ("--logging_strategy epoch --logging_steps 3", "has no effect with --logging_strategy epoch"),
        ("--fp16 true", "--fp16 True needs a GPU"),
        ("--tf32 true", "needs a GPU"),
        ("--activation_offloading true", "needs a GPU"),
        ("--activation_checkpointing_kwargs {}", "without --activation_checkpointing true"),
        ("--dataloader_prefetch_factor 2", "without --dataloader_num_workers"),
        ("--report_to wandbb", "expected none, or some of tensorboard, wandb"),
        ("--run_name a", "--run_name a has no effect without a tracker"),
        ("--deepspeed nowhere.json", "needs deepspeed: pip install deepspeed"),
        ("--ddp_timeout 5", "--ddp_timeout 5 has no effect without several processes"),
        ("--hub_model_id a/b", "--hub_model_id a/b has no effect without --push_to_hub"),
        ("--license mit", "--license mit has no effect without --push_to_hub"),
        ("--full_finetuning true --lora_r 4", "--lora_r 4 has no effect without a LoRA adapter"),
        ("--base_revision main", "runs/smoke/base is a folder here, which has no revision 'main'"),
        ("--lora_target_modules query", "It has down_proj, embed_tokens, gate_proj, k_proj, lm_head"),
        ("--warmup_ratio 0.1", "unknown option --warmup_ratio; did you mean 'warmup_steps'?"),
    ],
)
def test_a_value_that_makes_no_sense_is_one_line(refusal, options, said):
    assert said in refusal(*options.split(" "))


@pytest.mark.parametrize(
    ("options", "package"),
    [
        ("--report_to wandb", "wandb"),
        ("--optim adamw_bnb_8bit", "-e '.[quant]'"),
        ("--optim paged_lion_8bit", "-e '.[quant]'"),
        ("--quantization 4bit", "-e '.[quant]'"),
        ("--report_to tensorboard comet_ml", "tensorboard"),
    ],
)
def test_a_package_that_is_not_installed_is_named_before_work_starts(
    monkeypatch, smoke, capsys, command, options, package
):
    for module in ("trainer_arguments", "requirements"):
        monkeypatch.setattr(f"rella_hub.systems.adapter.{module}.find_spec", lambda name: None)
    monkeypatch.chdir(smoke.folder)
    assert command("training/sft.py", "--config", SMOKE, "--output_dir", "new", *options.split()) == 2
    error = capsys.readouterr().err
    assert f"pip install {package}" in error
    assert "Traceback" not in error
    assert not Path("new").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as a configuration of DeepSpeed"),
        ('{"zero_optimization": {"stage": 3}}', "has ZeRO of stage 3; stage 1 and 2 are taken"),
        ('{"zero_optimization": {"stage": 2}}', "on a CPU needs to be started by accelerate launch"),
    ],
)
def test_a_configuration_of_deepspeed_is_read_before_work_starts(refusal, monkeypatch, tmp_path, text, said):
    monkeypatch.setattr("rella_hub.systems.adapter.trainer_arguments.find_spec", lambda name: name)
    (tmp_path / "zero.json").write_text(text)
    assert said in refusal("--deepspeed", str(tmp_path / "zero.json"))


# Help, and the recipe that fills in.


def in_a_process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    line = [sys.executable, "-X", "importtime", str(REPOSITORY / "training/sft.py"), *arguments]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True)


def test_help_shows_what_holds_and_imports_nothing_heavy(tmp_path):
    done = in_a_process("--help", cwd=tmp_path)
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert imported & {"torch", "transformers", "trl", "datasets", "numpy"} == set()
    said = " ".join(done.stdout.split())
    assert "training/recipes/ml1m/rella.yaml holds" in said
    assert "(default: 8bit)" in said
    assert "Forward passes in an optimizer step. (default: 64)" in said
    other = " ".join(in_a_process("--config", str(SMOKE), "--help", cwd=tmp_path).stdout.split())
    assert "Forward passes in an optimizer step. (default: 2)" in other


def test_the_recipe_that_fills_in_is_said_first(command, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rella_hub.systems.adapter.train.train", lambda options: None)
    assert command("training/sft.py", "--base", "b", "--dataset", "d", "--config_name", "c", "--lora_r", "4") == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("No --config, so ")
    assert "training/recipes/ml1m/rella.yaml fills in: num_shots 8192, num_validation 2000, quantization 8bit" in first
    assert "lora_r" not in first
    assert "base" not in first
    assert command("training/sft.py", "--config", SMOKE) == 0
    assert "fills in" not in capsys.readouterr().out
