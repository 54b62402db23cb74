"""How a tuning run trains: the options of TRL's SFTConfig that its rows, its sampler and its loss honor, with the paper's defaults.

The names are TRL's. What SFTConfig has beside them is refused by name (rella_hub/systems/adapter/not_taken.py). Nothing heavy is imported
here, so that `--help` answers at once; `sft_config` (rella_hub/systems/adapter/trainer_arguments.py) makes an SFTConfig of these options.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from rella_hub.cli.options import option
from rella_hub.systems.adapter.values import check_values


@dataclass(frozen=True)
class TuningConfig:
    """Source of the defaults: ReLLa, section 4.1.4: AdamW, no weight decay, linear decay."""

    output_dir: str = option("The run folder: adapter/, recipe.yaml, training.json, training.png.", pins=False)
    # How much is learned, and how fast.
    num_train_epochs: float = option("Epochs at most (paper: 5 on MovieLens).", 3.0)
    max_steps: int = option(
        "Optimizer steps at most, instead of --num_train_epochs; -1: as many as the epochs have.", -1
    )
    per_device_train_batch_size: int = option("Prompts in a forward pass of each process.", 8)
    gradient_accumulation_steps: int = option("Forward passes in an optimizer step.", 1)
    learning_rate: float = option("Peak learning rate (paper: 1e-3 or 1.5e-3).", 1e-3)
    lr_scheduler_type: str = option("Learning-rate schedule (paper: linear decay).", "linear")
    lr_scheduler_kwargs: dict | None = option('Settings of the schedule as JSON, such as {"num_cycles": 2}.', None)
    warmup_steps: float = option("Steps of warm-up; below 1, a share of all steps.", 0)
    optim: str = option("Optimizer, by TRL's names; those of bitsandbytes need the extra `quant`.", "adamw_torch_fused")
    weight_decay: float = option("Weight decay (paper: 0).", 0.0)
    adam_beta1: float = option("Decay of the first moment.", 0.9)
    adam_beta2: float = option("Decay of the second moment.", 0.999)
    adam_epsilon: float = option("Epsilon of AdamW.", 1e-8)
    max_grad_norm: float = option("Gradients are clipped to this norm; 0: never.", 1.0)
    neftune_noise_alpha: float | None = option("Noise on the embeddings while training (NEFTune), such as 5.", None)
    max_length: int = option("Token budget of a prompt; a longer one is an error, never cut (paper: 2048).", 2048)
    seed: int = option("Seed of LoRA's weights, of dropout and of the choice of validation samples.", 42)
    data_seed: int | None = option("Seed of the order of the training rows. Default: --seed.", None)
    full_determinism: bool = option("Only deterministic kernels: slower, the same weights again on a GPU.", False)
    average_tokens_across_devices: bool = option(
        "With several processes: weigh each answer token alike, not each process.", True
    )
    # What it runs on.
    use_cpu: bool = option("Train on the CPU, also where there is a GPU.", False)
    bf16: bool | None = option("Train in bfloat16 autocast. Default: on a GPU, unless --fp16.", None)
    fp16: bool = option("Train in float16 autocast with a scaled loss, on a GPU.", False)
    tf32: bool | None = option("Whether float32 products of a GPU may use TF32. Default: as PyTorch does.", None)
    activation_checkpointing: bool = option(
        "Recompute activations to save memory, a third slower.", False, aliases=("gradient_checkpointing",)
    )
    activation_checkpointing_kwargs: dict | None = option(
        'Settings of it as JSON, such as {"use_reentrant": false}.', None, aliases=("gradient_checkpointing_kwargs",)
    )
    activation_offloading: bool = option("Keep activations of a GPU in the memory of the machine.", False)
    torch_compile: bool = option("Compile the model.", False)
    torch_compile_backend: str | None = option("Compile the model with this backend of torch.compile.", None)
    torch_compile_mode: str | None = option("Compile the model in this mode of torch.compile.", None)
    torch_empty_cache_steps: int | None = option(
        "Give unused memory of a GPU back every so many steps.", None, pins=False
    )
    deepspeed: str | None = option(
        "Configuration file of DeepSpeed (JSON): ZeRO of stage 1 or 2. Such a run starts anew when it was interrupted.",
        None,
    )
    ddp_find_unused_parameters: bool | None = option(
        "With several processes: look for weights without gradient.", None, pins=False
    )
    ddp_bucket_cap_mb: int | None = option("With several processes: MB of gradients sent at once.", None, pins=False)
    ddp_broadcast_buffers: bool | None = option(
        "With several processes: send buffers before each step.", None, pins=False
    )
    ddp_static_graph: bool | None = option(
        "With several processes: every step computes the same graph.", None, pins=False
    )
    ddp_backend: str | None = option(
        "With several processes: nccl, gloo, mpi, ccl, hccl, cncl or mccl.", None, pins=False
    )
    ddp_timeout: int = option("With several processes: seconds that one waits for another.", 1800, pins=False)
    dataloader_drop_last: bool = option("Leave out the last rows of an epoch that fill no batch.", False)
    dataloader_num_workers: int = option("Processes that make batches; 0: the training process does.", 0, pins=False)
    dataloader_pin_memory: bool = option("Keep batches where a GPU fetches them faster.", True, pins=False)
    dataloader_persistent_workers: bool = option("Keep those processes from epoch to epoch.", False, pins=False)
    dataloader_prefetch_factor: int | None = option(
        "Batches that each of those processes makes ahead.", None, pins=False
    )
    dataloader_multiprocessing_context: str | None = option(
        "How they start: fork, spawn or forkserver.", None, pins=False
    )
    # Validation and checkpoints.
    eval_strategy: str = option("When validation AUC is taken: epoch or steps.", "epoch")
    eval_steps: float | None = option("With --eval_strategy steps: every so many; below 1, a share of all.", None)
    eval_delay: float = option("No validation before this epoch or step.", 0)
    eval_on_start: bool = option("Take validation AUC before the first step, too: that of the base.", False, pins=False)
    save_strategy: str = option(
        "When a checkpoint is written: epoch or steps, as --eval_strategy, or best: at each better validation.", "epoch"
    )
    save_steps: float | None = option("With --save_strategy steps: every so many. Default: --eval_steps.", None)
    save_total_limit: int | None = option("Checkpoints kept, the best one among them.", 2, pins=False)
    load_best_model_at_end: bool = option("Keep the weights of the best validation; nothing else is possible.", True)
    metric_for_best_model: str = option("Validation metric that chooses the epoch: auc, log_loss or accuracy.", "auc")
    greater_is_better: bool | None = option("Whether more of that metric is better; known without being said.", None)
    resume_from_checkpoint: str | None = option(
        "Go on from this checkpoint of the run instead of its last one; true: fail if there is none.", None, pins=False
    )
    # What is said meanwhile, and where.
    logging_strategy: str = option("When the loss is logged: steps, epoch or no.", "steps", pins=False)
    logging_steps: float | None = option(
        "With --logging_strategy steps: every so many. Default: every step.", None, pins=False
    )
    logging_first_step: bool = option("Log the loss of the first step, too.", False, pins=False)
    log_level: str = option(
        "Of transformers: detail, debug, info, warning, error, critical or passive.", "passive", pins=False
    )
    log_level_replica: str = option("The same of all processes but the first.", "warning", pins=False)
    disable_tqdm: bool | None = option("No progress bar.", None, pins=False)
    report_to: list[str] = option(
        "Trackers that get the log, too: tensorboard, wandb, mlflow, comet_ml, trackio or swanlab.",
        ["none"],
        pins=False,
    )
    run_name: str | None = option("Name of the run in them. Default: --output_dir.", None, pins=False)
    project: str = option("Project of the run in trackio and wandb.", "huggingface", pins=False)
    # Publishing, by training/sft.py.
    push_to_hub: bool = option(
        "Publish the finished adapter on the Hub, as model_cards/push.py does.", False, pins=False
    )
    hub_model_id: str | None = option("Hub id of the adapter, such as rella/ml1m-rella-vicuna-13b.", None, pins=False)
    hub_private_repo: bool | None = option("Publish it in a private repository.", None, pins=False)

    def __post_init__(self) -> None:
        check_values(self)


# What is written into recipe.yaml; the rest gives the same weights whatever its value.
OF_THE_RECIPE = tuple(one.name for one in fields(TuningConfig) if one.metadata["pins"])
# What a recipe of an earlier version may hold beside it.
BESIDE_THE_RECIPE = (
    *(one.name for one in fields(TuningConfig) if not one.metadata["pins"]),
    *(alias for one in fields(TuningConfig) for alias in one.metadata["aliases"]),
)
# What this project does itself, so that SFTConfig is not told.
NOT_OF_TRL = ("max_length", "push_to_hub", "hub_model_id", "hub_private_repo", "resume_from_checkpoint", "report_to")
