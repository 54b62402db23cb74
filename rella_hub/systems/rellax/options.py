"""What a ReLLaX run trains on what, and how its system is scored; how it trains is in rella_hub/systems/adapter/config.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rella_hub.cli import refuse_without
from rella_hub.cli.options import option
from rella_hub.prompts import style_of
from rella_hub.systems.adapter.config import TuningConfig
from rella_hub.systems.adapter.not_taken import NOT_TAKEN as REFUSED
from rella_hub.systems.adapter.options import ScoreOptions, TunedBase
from rella_hub.tables import runs
from rella_hub.views import POINTWISE, load_view, view_of

__all__ = ["MARK", "READS", "REFUSED", "RESULT", "RUN", "Options", "ScoreOptions", "holds"]
RESULT, RUN, MARK = "rellax", "rellax run", "rellax.json"
READS = (
    *("base", "base_revision", "dataset", "dataset_revision"),
    *("ctr", "ctr_revision", "adapter", "adapter_revision"),
)  # in a recipe by name, in a record by their hashes
MODES = {
    "lora_r": "gates",
    "ctr_prompt": "soft prompts",
    "rella_plus": "gates and soft prompts",
}  # the names of the released code
GATED, PROMPTED = ("lora_r", "rella_plus"), ("ctr_prompt", "rella_plus")
STARTS = (
    "identity",
    "released",
)  # a test holds them equal to those of rella_hub/language_models/cflora.py, which imports torch
LORA = ("lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")


def holds(folder: Path) -> bool:
    return runs.is_of(folder, RUN, RESULT, MARK)


@dataclass(frozen=True, kw_only=True)
class RellaxArguments(TunedBase):
    """Source: ReLLaX (arXiv 2501.13344), and its released code for the modes."""

    ctr: str = option(
        "The CTR model whose knowledge is put in, frozen: run folder or Hub id of training/ctr.py, such as sim (as the released code "
        "where behaviors are retrieved) or din (else).",
        pins=False,
    )
    ctr_revision: str | None = option("Branch, tag or commit of the CTR model.", None, pins=False)
    mode: str = option(
        f"What is added to LoRA: {', '.join(f'{name} ({words})' for name, words in MODES.items())}. With nothing added (origin) it is "
        "training/sft.py.",
        "rella_plus",
    )
    adapter: str | None = option(
        "Adapter to begin with, which stays as it is while the rest learns (released code): folder or Hub id. Default: a new LoRA, which "
        "learns along.",
        None,
        pins=False,
    )
    adapter_revision: str | None = option("Branch, tag or commit of the adapter.", None, pins=False)
    gate_start: str = option(
        "How gates start: identity (as LoRA alone; ours) or released (drawn at random, as in the released code).",
        "identity",
    )

    def __post_init__(self) -> None:
        TunedBase.__post_init__(self)
        for name, known in (("mode", tuple(MODES)), ("gate_start", STARTS)):
            if getattr(self, name) not in known:
                raise ValueError(f"--{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}.")
        if self.mode not in GATED:
            refuse_without("gates (--mode lora_r or rella_plus)", self, ["gate_start"])
        if self.adapter is not None:
            refuse_without("a new LoRA (no --adapter)", self, LORA)
        else:
            refuse_without("--adapter", self, ["adapter_revision"])
        if self.mode in PROMPTED:
            require_one_row(self.config_name)


@dataclass(frozen=True, kw_only=True)
class Options(TuningConfig, RellaxArguments):
    """All options of a run: first what is trained on what, then how."""

    def __post_init__(self) -> None:
        TuningConfig.__post_init__(self)
        RellaxArguments.__post_init__(self)


def require_one_row(config_name: str) -> None:
    """ValueError for prompts whose behaviors soft prompts cannot be put to."""
    view = view_of(config_name)[0]
    if style_of(config_name) != POINTWISE:
        raise ValueError(
            f"Soft prompts stand behind the stars of behaviors, which prompts of the style {style_of(config_name)} do not have. Take a "
            "config of the usual style, such as subr_k30, or --mode lora_r."
        )
    if view is not None and load_view(view).mixes:
        raise ValueError(
            f"--config_name {config_name} shows each training sample by several views; soft prompts need one, such as subr_k30 (as the "
            "released code). Take that, or --mode lora_r."
        )
