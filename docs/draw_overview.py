"""Draw docs/overview.png, the picture of the README: what recency and SUBR show of one history, and what the model is asked.

example: python docs/draw_overview.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from rella_hub.figures import COLORS

THEMES = dict(zip(("space", "ghosts", "sea", "love"), COLORS, strict=False))
HISTORY = [
    ("Lunar Rocket", "space", 5),
    ("Creepy Zombie", "ghosts", 1),
    ("Stellar Planet", "space", 4),
    ("Tidal Pirate", "sea", 3),
    ("Cosmic Starship", "space", 5),
    ("Tender Kiss", "love", 2),
    ("Undead Vampire", "ghosts", 2),
    ("Stormy Captain", "sea", 4),
    ("Loving Bride", "love", 3),
    ("Sunken Pirate", "sea", 4),
]
TARGET, SHOWN = ("Martian Astronaut", "space"), 3
LATEST = range(len(HISTORY) - SHOWN, len(HISTORY))
SIMILAR = [i for i, (_, theme, _) in enumerate(HISTORY) if theme == TARGET[1]]
INK = "#222222"


def main() -> None:
    figure, axes = plt.subplots(figsize=(11, 4.6), layout="constrained")
    axes.set(xlim=(0, 11), ylim=(0, 4.7))
    axes.axis("off")
    axes.text(0.05, 4.5, "a user's history, oldest first", fontsize=11, color=INK, va="center")
    for i, (title, theme, stars) in enumerate(HISTORY):
        card(axes, 0.05 + i * 0.93, 3.3, title, theme, "★" * stars)
    card(axes, 0.05 + 10.15, 3.3, TARGET[0], TARGET[1], "?", width=0.78, edge=INK)
    axes.text(10.6, 4.5, "target", fontsize=11, color=INK, va="center", ha="center")
    row(axes, 1.75, f"recency: the {SHOWN} latest", LATEST, "#999999")
    row(axes, 0.3, f"SUBR: the {SHOWN} that mean most for the target, in time order", SIMILAR, INK)
    box = FancyBboxPatch((5.65, 0.2), 2.75, 2.3, boxstyle="round,pad=0.05", facecolor="#f4f4f4", edgecolor="#bbbbbb")
    axes.add_patch(box)
    axes.text(
        5.75,
        1.35,
        "She has watched these movies ...\n0. Lunar Rocket (5 stars)\n1. Stellar Planet (4 stars)\n2. Cosmic Starship (5 stars)\n"
        'Will she like the movie\n"Martian Astronaut"?\nAnswer with Yes or No ...',
        fontsize=9,
        family="monospace",
        va="center",
        color=INK,
    )
    arrow(axes, (2.95, 0.67), (5.5, 1.1))
    arrow(axes, (8.5, 1.3), (9.1, 1.3))
    axes.text(9.15, 1.55, "language model", fontsize=11, va="center", color=INK)
    axes.text(9.15, 1.05, "P(Yes) = softmax of the\ntwo logits Yes, No", fontsize=10, va="center", color=INK)
    axes.text(
        9.15, 0.35, "ReiT tunes it on both views\nof every training sample", fontsize=9, va="center", color="#666666"
    )
    figure.savefig(Path(__file__).with_name("overview.png"), dpi=140)


def card(axes, x: float, y: float, title: str, theme: str, below: str, width: float = 0.85, edge: str = "none") -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x, y), width, 0.75, boxstyle="round,pad=0.02", facecolor=THEMES[theme], edgecolor=edge, linewidth=2
        )
    )
    axes.text(x + width / 2, y + 0.38, title.replace(" ", "\n"), fontsize=8.5, color="white", ha="center", va="center")
    axes.text(x + width / 2, y - 0.13, below, fontsize=8, color=INK, ha="center", va="center", family="DejaVu Sans")


def row(axes, y: float, text: str, shown, color: str) -> None:
    axes.text(0.05, y + 1.0, text, fontsize=11, color=color, va="center")
    for place, i in enumerate(shown):
        title, theme, stars = HISTORY[i]
        card(axes, 0.05 + place * 0.93, y, title, theme, "★" * stars)


def arrow(axes, start: tuple, end: tuple) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=16, color=INK, linewidth=1.5))


if __name__ == "__main__":
    main()
