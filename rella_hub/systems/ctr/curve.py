"""The curve of a run: training loss and validation AUC by epoch, and the epoch that was kept."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator

LOSS, AUC = "#0072b2", "#d55e00"  # blue and vermilion of Okabe and Ito's palette, apart for every kind of sight


def draw(log: list[dict], best_epoch: int, path: Path) -> None:
    epochs = [entry["epoch"] for entry in log]
    figure, left = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, style, label in (("loss", "-", "training"), ("log_loss", "--", "validation")):
        left.plot(epochs, [entry[name] for entry in log], style, color=LOSS, marker=".", label=f"LogLoss, {label}")
    left.set(xlabel="epoch", ylabel="LogLoss")
    left.yaxis.label.set_color(LOSS)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right = left.twinx()
    right.plot(epochs, [entry["auc"] for entry in log], color=AUC, marker="o")
    right.set_ylabel("validation AUC")
    right.yaxis.label.set_color(AUC)
    left.axvline(best_epoch, color="gray", linewidth=1, linestyle=":", label="kept")
    left.grid(alpha=0.3)
    left.legend(loc="lower left", frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
