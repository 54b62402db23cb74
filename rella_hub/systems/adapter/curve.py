"""The training curve of a run: loss by step, validation AUC by epoch."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LOSS, AUC = "#0072b2", "#d55e00"  # blue and vermilion of Okabe and Ito's palette, apart for every kind of sight


def draw(log: list[dict], path: Path) -> None:
    figure, left = plt.subplots(figsize=(7, 4), layout="constrained")
    steps = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
    left.plot(*zip(*steps, strict=True), color=LOSS, linewidth=1)
    left.set(xlabel="optimizer step", ylabel="training loss per answer token")
    left.yaxis.label.set_color(LOSS)
    right = left.twinx()
    validated = [(entry["step"], entry["eval_auc"]) for entry in log if "eval_auc" in entry]
    right.plot(*zip(*validated, strict=True), color=AUC, marker="o")
    right.set_ylabel("validation AUC")
    right.yaxis.label.set_color(AUC)
    left.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    plt.close(figure)
