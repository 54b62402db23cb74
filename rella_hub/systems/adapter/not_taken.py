"""The options of TRL's SFTConfig that tuning does not take, each with the reason and what to do instead.

Taken or not, every field of SFTConfig stands in one of the two lists: a test fails for one that a newer TRL adds.
"""

from __future__ import annotations

_ROWS = (
    "is an option of TRL that has no effect here: the rows are the data set's prompts, tokenized whole with the loss on the answer alone. "
    "--dataset, --config_name and --max_length choose them."
)
_LOSS = "is an option of TRL that has no effect here: the loss is the cross entropy of the answer's tokens alone."
_ORDER = (
    "is an option of TRL that has no effect here: an epoch is a seeded order in which the rows of a step are batched by length. "
    "--data_seed chooses it."
)
_VALIDATION = (
    "is an option of TRL that has no effect here: validation is P(Yes) by the scorer of the test, in batches of its own. "
    "--num_validation and --eval_strategy are taken."
)
_BASE = (
    "is an option of TRL that has no effect here: the base model is loaded by --base, --base_revision, --dtype and --quantization, "
    "from safetensors alone and without remote code."
)
_ONE_PUSH = (
    "is not taken, because nothing is pushed while a run trains: with --push_to_hub its adapter is published once, when the run has "
    "finished, on the main branch. Leave it out; --revision_tag names what was published."
)
_RESUME = (
    "is not taken, because an interrupted run goes on from its last checkpoint, to the very adapter that it would have made. "
    "--save_strategy and --save_steps say when checkpoints are written."
)
_OPTIMIZER = "is not taken, because none of the optimizers of --optim here has such settings; AdamW's are --adam_beta1 and so on."
_ONE_WRITER = "is not taken, because one process writes the run folder, which all machines of a run must see."
_SHARDED = (
    "is not taken, because validation scores on a whole copy of the model in each process, which it would split. With several GPUs: "
    "accelerate launch --num_processes N; where memory is short, --quantization and --activation_checkpointing."
)
_STEPS = (
    "is not taken, because it would change the steps of the recipe unseen. Set --per_device_train_batch_size and "
    "--gradient_accumulation_steps."
)
_LIGER = "is not taken, because Liger's gain is a loss that does not build all logits, and here they are taken at the answers alone."
_TRACKIO = "is not taken, because nothing is pushed while a run trains; trackio's log stays on this machine."
_DEBUG = "is not taken: it is for debugging transformers' Trainer."
_SCRIPT = "is an option of TRL that has no effect here: a run always trains, validates and keeps the best. evaluation/score.py predicts."

NOT_TAKEN = {
    **dict.fromkeys(
        (
            *("dataset_text_field", "dataset_kwargs", "dataset_num_proc", "eos_token", "pad_token", "truncation_mode"),
            *(
                "chat_template_path",
                "packing",
                "packing_strategy",
                "eval_packing",
                "padding_free",
                "pad_to_multiple_of",
            ),
            *("remove_unused_columns", "label_names"),
        ),
        _ROWS,
    ),
    **dict.fromkeys(
        (
            *("completion_only_loss", "assistant_only_loss", "loss_type", "label_smoothing_factor"),
            "router_aux_loss_coef",
        ),
        _LOSS,
    ),
    **dict.fromkeys(
        (
            "train_sampling_strategy",
            "length_column_name",
            "shuffle_dataset",
            "accelerator_config",
            "dataloader_in_order",
        ),
        _ORDER,
    ),
    **dict.fromkeys(
        (
            *("per_device_eval_batch_size", "eval_accumulation_steps", "eval_do_concat_batches", "batch_eval_metrics"),
            *("eval_use_gather_object", "prediction_loss_only", "include_for_metrics"),
            *("bf16_full_eval", "fp16_full_eval"),
        ),
        _VALIDATION,
    ),
    **dict.fromkeys(("model_init_kwargs", "trust_remote_code", "use_cache"), _BASE),
    **dict.fromkeys(("hub_strategy", "hub_always_push", "hub_revision"), _ONE_PUSH),
    "hub_token": "is not taken: a token on a command line or in a recipe is read by others. Log in with `hf auth login`, or set HF_TOKEN.",
    **dict.fromkeys(
        ("save_only_model", "ignore_data_skip", "restore_callback_states_from_checkpoint", "enable_jit_checkpoint"),
        _RESUME,
    ),
    **dict.fromkeys(("optim_args", "optim_target_modules"), _OPTIMIZER),
    **dict.fromkeys(("save_on_each_node", "log_on_each_node"), _ONE_WRITER),
    **dict.fromkeys(("fsdp", "fsdp_config", "parallelism_config"), _SHARDED),
    "auto_find_batch_size": _STEPS,
    **dict.fromkeys(("use_liger_kernel", "liger_kernel_config"), _LIGER),
    **dict.fromkeys(("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"), _TRACKIO),
    **dict.fromkeys(("debug", "skip_memory_metrics", "logging_nan_inf_filter"), _DEBUG),
    "include_num_input_tokens_seen": "is not taken; training.json says training_tokens_per_epoch.",
    **dict.fromkeys(("do_train", "do_eval", "do_predict"), _SCRIPT),
    "local_rank": "is not taken; accelerate launch and torchrun say it by the environment.",
}
