"""How a tuning run trains: the options of TRL's SFTConfig that its rows, its sampler and its loss honor, with the paper's defaults.

The names are TRL's. What SFTConfig has beside them is refused by name (rella_hub/systems/adapter/not_taken.py). Nothing heavy is imported
here, so that `--help` answers at once; `sft_config` (rella_hub/systems/adapter/trainer_arguments.py) makes an SFTConfig of these options.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from rella_hub.systems.adapter.values import check_values


def _pins(said: str, aliases: tuple[str, ...] = ()) -> dict:
    """Of an option that can change the weights: part of the recipe."""
    return {"help": said, "aliases": aliases, "pins": True}


def _beside(said: str) -> dict:
    """Of an option that says where a run writes, how it looks, how fast it is: no value of it gives other weights."""
    return {"help": said, "pins": False}


@dataclass(frozen=True)
class TuningConfig:
    """Source of the defaults: ReLLa, section 4.1.4: AdamW, no weight decay, linear decay."""

    output_dir: str = field(metadata=_beside("The run folder: adapter/, recipe.yaml, training.json, training.png."))
    # How much is learned, and how fast.
    num_train_epochs: float = field(default=3.0, metadata=_pins("Epochs at most (paper: 5 on MovieLens)."))
    max_steps: int = field(
        default=-1,
        metadata=_pins("Optimizer steps at most, instead of --num_train_epochs; -1: as many as the epochs have."),
    )
    per_device_train_batch_size: int = field(default=8, metadata=_pins("Prompts in a forward pass of each process."))
    gradient_accumulation_steps: int = field(default=1, metadata=_pins("Forward passes in an optimizer step."))
    learning_rate: float = field(default=1e-3, metadata=_pins("Peak learning rate (paper: 1e-3 or 1.5e-3)."))
    lr_scheduler_type: str = field(default="linear", metadata=_pins("Learning-rate schedule (paper: linear decay)."))
    lr_scheduler_kwargs: dict | None = field(
        default=None, metadata=_pins('Settings of the schedule as JSON, such as {"num_cycles": 2}.')
    )
    warmup_steps: float = field(default=0, metadata=_pins("Steps of warm-up; below 1, a share of all steps."))
    optim: str = field(
        default="adamw_torch_fused",
        metadata=_pins("Optimizer, by TRL's names; those of bitsandbytes need the extra `quant`."),
    )
    weight_decay: float = field(default=0.0, metadata=_pins("Weight decay (paper: 0)."))
    adam_beta1: float = field(default=0.9, metadata=_pins("Decay of the first moment."))
    adam_beta2: float = field(default=0.999, metadata=_pins("Decay of the second moment."))
    adam_epsilon: float = field(default=1e-8, metadata=_pins("Epsilon of AdamW."))
    max_grad_norm: float = field(default=1.0, metadata=_pins("Gradients are clipped to this norm; 0: never."))
    neftune_noise_alpha: float | None = field(
        default=None, metadata=_pins("Noise on the embeddings while training (NEFTune), such as 5.")
    )
    max_length: int = field(
        default=2048, metadata=_pins("Token budget of a prompt; a longer one is an error, never cut (paper: 2048).")
    )
    seed: int = field(
        default=42, metadata=_pins("Seed of LoRA's weights, of dropout and of the choice of validation samples.")
    )
    data_seed: int | None = field(
        default=None, metadata=_pins("Seed of the order of the training rows. Default: --seed.")
    )
    full_determinism: bool = field(
        default=False, metadata=_pins("Only deterministic kernels: slower, the same weights again on a GPU.")
    )
    average_tokens_across_devices: bool = field(
        default=True, metadata=_pins("With several processes: weigh each answer token alike, not each process.")
    )
    # What it runs on.
    use_cpu: bool = field(default=False, metadata=_pins("Train on the CPU, also where there is a GPU."))
    bf16: bool | None = field(
        default=None, metadata=_pins("Train in bfloat16 autocast. Default: on a GPU, unless --fp16.")
    )
    fp16: bool = field(default=False, metadata=_pins("Train in float16 autocast with a scaled loss, on a GPU."))
    tf32: bool | None = field(
        default=None, metadata=_pins("Whether float32 products of a GPU may use TF32. Default: as PyTorch does.")
    )
    activation_checkpointing: bool = field(
        default=False,
        metadata=_pins("Recompute activations to save memory, a third slower.", aliases=("gradient_checkpointing",)),
    )
    activation_checkpointing_kwargs: dict | None = field(
        default=None,
        metadata=_pins(
            'Settings of it as JSON, such as {"use_reentrant": false}.', aliases=("gradient_checkpointing_kwargs",)
        ),
    )
    activation_offloading: bool = field(
        default=False, metadata=_pins("Keep activations of a GPU in the memory of the machine.")
    )
    torch_compile: bool = field(default=False, metadata=_pins("Compile the model."))
    torch_compile_backend: str | None = field(
        default=None, metadata=_pins("Compile the model with this backend of torch.compile.")
    )
    torch_compile_mode: str | None = field(
        default=None, metadata=_pins("Compile the model in this mode of torch.compile.")
    )
    torch_empty_cache_steps: int | None = field(
        default=None, metadata=_beside("Give unused memory of a GPU back every so many steps.")
    )
    deepspeed: str | None = field(
        default=None,
        metadata=_pins(
            "Configuration file of DeepSpeed (JSON): ZeRO of stage 1 or 2. Such a run starts anew when it was interrupted."
        ),
    )
    ddp_find_unused_parameters: bool | None = field(
        default=None, metadata=_beside("With several processes: look for weights without gradient.")
    )
    ddp_bucket_cap_mb: int | None = field(
        default=None, metadata=_beside("With several processes: MB of gradients sent at once.")
    )
    ddp_broadcast_buffers: bool | None = field(
        default=None, metadata=_beside("With several processes: send buffers before each step.")
    )
    ddp_static_graph: bool | None = field(
        default=None, metadata=_beside("With several processes: every step computes the same graph.")
    )
    ddp_backend: str | None = field(
        default=None, metadata=_beside("With several processes: nccl, gloo, mpi, ccl, hccl, cncl or mccl.")
    )
    ddp_timeout: int = field(
        default=1800, metadata=_beside("With several processes: seconds that one waits for another.")
    )
    dataloader_drop_last: bool = field(
        default=False, metadata=_pins("Leave out the last rows of an epoch that fill no batch.")
    )
    dataloader_num_workers: int = field(
        default=0, metadata=_beside("Processes that make batches; 0: the training process does.")
    )
    dataloader_pin_memory: bool = field(default=True, metadata=_beside("Keep batches where a GPU fetches them faster."))
    dataloader_persistent_workers: bool = field(
        default=False, metadata=_beside("Keep those processes from epoch to epoch.")
    )
    dataloader_prefetch_factor: int | None = field(
        default=None, metadata=_beside("Batches that each of those processes makes ahead.")
    )
    dataloader_multiprocessing_context: str | None = field(
        default=None, metadata=_beside("How they start: fork, spawn or forkserver.")
    )
    # Validation and checkpoints.
    eval_strategy: str = field(default="epoch", metadata=_pins("When validation AUC is taken: epoch or steps."))
    eval_steps: float | None = field(
        default=None, metadata=_pins("With --eval_strategy steps: every so many; below 1, a share of all.")
    )
    eval_delay: float = field(default=0, metadata=_pins("No validation before this epoch or step."))
    eval_on_start: bool = field(
        default=False, metadata=_beside("Take validation AUC before the first step, too: that of the base.")
    )
    save_strategy: str = field(
        default="epoch",
        metadata=_pins(
            "When a checkpoint is written: epoch or steps, as --eval_strategy, or best: at each better validation."
        ),
    )
    save_steps: float | None = field(
        default=None, metadata=_pins("With --save_strategy steps: every so many. Default: --eval_steps.")
    )
    save_total_limit: int | None = field(default=2, metadata=_beside("Checkpoints kept, the best one among them."))
    load_best_model_at_end: bool = field(
        default=True, metadata=_pins("Keep the weights of the best validation; nothing else is possible.")
    )
    metric_for_best_model: str = field(
        default="auc", metadata=_pins("Validation metric that chooses the epoch: auc, log_loss or accuracy.")
    )
    greater_is_better: bool | None = field(
        default=None, metadata=_pins("Whether more of that metric is better; known without being said.")
    )
    resume_from_checkpoint: str | None = field(
        default=None,
        metadata=_beside("Go on from this checkpoint of the run instead of its last one; true: fail if there is none."),
    )
    # What is said meanwhile, and where.
    logging_strategy: str = field(default="steps", metadata=_beside("When the loss is logged: steps, epoch or no."))
    logging_steps: float | None = field(
        default=None, metadata=_beside("With --logging_strategy steps: every so many. Default: every step.")
    )
    logging_first_step: bool = field(default=False, metadata=_beside("Log the loss of the first step, too."))
    log_level: str = field(
        default="passive",
        metadata=_beside("Of transformers: detail, debug, info, warning, error, critical or passive."),
    )
    log_level_replica: str = field(default="warning", metadata=_beside("The same of all processes but the first."))
    disable_tqdm: bool | None = field(default=None, metadata=_beside("No progress bar."))
    report_to: list[str] = field(
        default_factory=lambda: ["none"],
        metadata=_beside("Trackers that get the log, too: tensorboard, wandb, mlflow, comet_ml, trackio or swanlab."),
    )
    run_name: str | None = field(default=None, metadata=_beside("Name of the run in them. Default: --output_dir."))
    project: str = field(default="huggingface", metadata=_beside("Project of the run in trackio and wandb."))
    # Publishing, by training/sft.py.
    push_to_hub: bool = field(
        default=False, metadata=_beside("Publish the finished adapter on the Hub, as model_cards/push.py does.")
    )
    hub_model_id: str | None = field(
        default=None, metadata=_beside("Hub id of the adapter, such as rella/ml1m-rella-vicuna-13b.")
    )
    hub_private_repo: bool | None = field(default=None, metadata=_beside("Publish it in a private repository."))

    def __post_init__(self) -> None:
        check_values(self)


# What is written into recipe.yaml; the rest gives the same weights whatever its value.
OF_THE_RECIPE = tuple(one.name for one in fields(TuningConfig) if one.metadata["pins"])
# What a recipe of an earlier version may hold beside it.
BESIDE_THE_RECIPE = (
    *(one.name for one in fields(TuningConfig) if not one.metadata["pins"]),
    *(alias for one in fields(TuningConfig) for alias in one.metadata.get("aliases", ())),
)
# What this project does itself, so that SFTConfig is not told.
NOT_OF_TRL = ("max_length", "push_to_hub", "hub_model_id", "hub_private_repo", "resume_from_checkpoint", "report_to")
