"""TRL's trainer with the curriculum as its sampler, weight decay on the projector alone, and validation by the likeliest candidate."""

from __future__ import annotations

import numpy as np
from accelerate.utils import gather_object
from torch.utils.data import Sampler

from rella_hub.language_models.answers import AnswerLossTrainer
from rella_hub.language_models.continuations import log_likelihoods
from rella_hub.language_models.p_yes import Budget
from rella_hub.language_models.projector import LAYERS
from rella_hub.systems.adapter.checkpoints import KeepsCheckpoints
from rella_hub.systems.hybrid.curriculum import CurriculumSampler, hybrid_steps, steps_of_epoch
from rella_hub.systems.hybrid.rows import Validation


class HybridTrainer(KeepsCheckpoints, AnswerLossTrainer):
    """lengths: (kinds, n) of `RowMaker.train`; curriculum: a mode of rella_hub/systems/hybrid/curriculum.py."""

    def __init__(self, *args, lengths: np.ndarray, curriculum: str, validation: Validation, budget: Budget, **kwargs):
        super().__init__(*args, **kwargs)
        self._lengths, self._validation, self._budget = lengths, validation, budget
        self._at_once = (
            self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        )
        steps = steps_of_epoch(lengths.shape[1], self._at_once)
        self.hybrid_steps = hybrid_steps(curriculum, steps, int(self.args.num_train_epochs), self.args.seed)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval") -> dict[str, float]:
        """Score the candidates of the validation questions, each process its share."""
        known = self._validation
        mine = np.arange(self.args.process_index, len(known.prompts), self.args.world_size)
        own = log_likelihoods(
            *(
                self.accelerator.unwrap_model(self.model),
                [known.prompts[i] for i in mine],
                [known.answers[i] for i in mine],
            ),
            self._budget,
        )
        scores = np.empty((len(known.prompts), len(known.answers[0])))
        for share, values in gather_object([(mine, own)]):
            scores[share] = values
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in ranked(scores, known.target).items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def get_decay_parameter_names(self, model) -> list[str]:
        """LLaRA, released code: the projector alone, its biases too."""
        return [name for name, _ in model.named_parameters() if f".{LAYERS}." in name]

    def _get_train_sampler(self, train_dataset=None) -> Sampler:
        one_kind = len(self._lengths) == 1
        kinds = np.zeros_like(self.hybrid_steps) if one_kind else self.hybrid_steps
        return CurriculumSampler(self._lengths, self._at_once, kinds, self.args.seed)


def ranked(scores: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """HitRatio@1 and NDCG of all candidates; a candidate that is as likely as the target stands before it.

    scores: (S, C); target: (S,) the number of the right candidate.
    """
    of_target = np.take_along_axis(scores, target[:, None], axis=1)
    rank = (scores >= of_target).sum(axis=1)  # from 1
    return {"hit_ratio": float((rank == 1).mean()), "ndcg": float((1 / np.log2(1 + rank)).mean())}
