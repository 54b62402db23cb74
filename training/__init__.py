"""Training: the commands `sft` (instruction tuning with LoRA), `ctr` and `ctr_grid` (the traditional CTR models), and `pretrain` (a small
base model where no Hub is at hand).

`recipes/<corpus>/<system>.yaml` is a row of a table of the paper: every hyper-parameter with its source.
"""
