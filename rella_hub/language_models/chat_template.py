"""A base model's chat template: a prompt as the user's message in it, found whole in what the template writes.

A template is a program that came with somebody's model. It may strip, cut or escape the message, refuse it, fail, write today's
date, or leave no place for an answer. Whatever it does, a prompt comes out whole and the same tomorrow, or the template is refused.
Only white space around the whole message may go: many templates trim it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # takes a second to import, and the options of commands need none of it
    from transformers import PreTrainedTokenizerBase

CLOCK = "strftime_now"  # the function by which a template asks for today's date
TEMPLATE = "chat_template"
GIVEN_ELSEWHERE = ("tools", "documents")  # arguments of transformers that every template gets
OURS = {  # arguments of transformers that decide how, not what, and are no template's
    *("conversation", "messages", "tokenize", "add_generation_prompt", "continue_final_message", "return_dict"),
    *("padding", "truncation", "max_length", "return_tensors", "return_assistant_tokens_mask", "tokenizer_kwargs"),
    *("sanitize_control_tokens",),
}
CALL_OF_THE_CLOCK = re.compile(rf"""{CLOCK}\(\s*(?:format\s*=\s*)?(["'])(.*?)\1\s*\)""", re.DOTALL)
CHANCE = re.compile(r"\|\s*random\b|\blipsum\s*\(")
THINKING = re.compile(r"[<\[◁][^\w/]?(/?)(?:\w+:)?(?:think|thinking|thought|reasoning)\W?[>\]▷]", re.IGNORECASE)
SWITCHES = ("enable_thinking", "thinking")  # what templates call the argument that turns thinking off
ANSWER = "Yes."
ANOTHER = f"""Give a template with --chat_template_kwargs '{{"{TEMPLATE}": "..."}}', or another --base."""


@dataclass(frozen=True)
class ChatTemplate:
    """One template with its arguments, ready to be filled."""

    tokenizer: PreTrainedTokenizerBase
    text: str
    arguments: Mapping

    @property
    def whose(self) -> str:
        return f"The chat template of {self.tokenizer.name_or_path!r}"

    def fill(self, prompt: str) -> str:
        """What the model reads, up to where its answer begins. ValueError when the prompt is not whole in it."""
        written = self._written([{"role": "user", "content": prompt}], add_generation_prompt=True)
        if prompt.strip() not in written:
            raise ValueError(
                f"{self.whose} does not write a user's message as it is (it strips, cuts, escapes or leaves out a part), so the model "
                f"would not read the prompt that is scored. {ANOTHER}"
            )
        return written

    def require_place_for_answer(self, prompt: str) -> None:
        """ValueError when what is filled with `prompt` ends before an answer may begin, or where the model thinks."""
        end = _behind(prompt, self.fill(prompt))
        before = self._before_answer(prompt)
        closed = bool(self.tokenizer.eos_token) and end.rstrip().endswith(self.tokenizer.eos_token)
        if not closed and before is not None and before.rstrip() != end.rstrip():
            unopened = _behind(
                prompt, self._written([{"role": "user", "content": prompt}], add_generation_prompt=False)
            )
            closed = end == unopened and before.startswith(end.rstrip())
        if closed:
            raise ValueError(
                f"{self.whose} leaves no place for an answer: it ends with {end.strip()[-40:]!r} and ignores add_generation_prompt, so "
                f"an answer would stand outside of the model's turn. {ANOTHER}"
            )
        thinking = list(THINKING.finditer(end))
        if thinking and not thinking[-1][1]:
            raise ValueError(
                f"{self.whose} ends inside of the model's thoughts ({end.strip()[-40:]!r}), where no answer is expected. "
                f"{self._without_thinking() or ANOTHER}"
            )
        rest = (before or "").removeprefix(end.rstrip()).strip() if before and before.startswith(end.rstrip()) else ""
        if rest:
            _warn(
                f"{self.whose} writes {rest[:80]!r} before an answer, which its generation prompt leaves to the model: Yes and No are "
                f"scored where the model would write that first. {self._without_thinking()}".rstrip()
            )

    def _without_thinking(self) -> str:
        switch = next((name for name in SWITCHES if _reads(self.text, name) and name not in self.arguments), None)
        return f"""Pass --chat_template_kwargs '{{"{switch}": false}}'.""" if switch else ""

    def _before_answer(self, prompt: str) -> str | None:
        """What stands between a prompt and its answer where both are given; None where the template does not tell the two apart."""
        by_role = {}
        for role in ("assistant", "user"):
            conversation = [{"role": "user", "content": prompt}, {"role": role, "content": ANSWER}]
            try:
                behind = _behind(prompt, self._written(conversation, add_generation_prompt=False))
            except ValueError:
                behind = ""
            by_role[role] = behind[: behind.rfind(ANSWER)] if ANSWER in behind else None
        return None if by_role["assistant"] == by_role["user"] else by_role["assistant"]

    def _written(self, conversation: list[dict], add_generation_prompt: bool) -> str:
        # In place of the clock stands a text, which cannot be called: a template that asks for the date fails.
        options = {CLOCK: "no clock", **self.arguments}
        try:
            return self._render(conversation, add_generation_prompt, options)
        except Exception as error:  # whatever a program that came with a model raises
            if _reads(self.text, CLOCK) and self._asks_the_clock(conversation, add_generation_prompt):
                raise ValueError(
                    f"{self.whose} writes today's date, so its prompts and scores would be others tomorrow. Say which date it shall write: "
                    f"""--chat_template_kwargs '{{"{CLOCK}": "2025-01-31"}}'"""
                ) from error
            raise ValueError(
                f"{self.whose} refuses a user's message ({type(error).__name__}: {_one_line(error)}). What it wants beside the message "
                f"is passed with --chat_template_kwargs, in JSON; else: {ANOTHER[0].lower()}{ANOTHER[1:]}"
            ) from error

    def _asks_the_clock(self, conversation: list[dict], add_generation_prompt: bool) -> bool:
        try:
            self._render(conversation, add_generation_prompt, dict(self.arguments))
        except Exception:
            return False
        return True

    def _render(self, conversation: list[dict], add_generation_prompt: bool, options: dict) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                conversation,
                chat_template=self.text,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                **options,
            )
        )


def chat_template_of(tokenizer: PreTrainedTokenizerBase, arguments: Mapping | None) -> ChatTemplate | None:
    """The template that `arguments` bring or else the tokenizer has; None where there is none.

    ValueError when it cannot be chosen or pinned, or does not read an argument.
    """
    arguments = dict(arguments or {})
    whose = f"The chat template of {tokenizer.name_or_path!r}"
    text = arguments.pop(TEMPLATE, None) or _own_template(tokenizer, whose)
    if text is None:
        if arguments:
            raise ValueError(
                f"{tokenizer.name_or_path!r} has no chat template, so --chat_template_kwargs {json.dumps(arguments)} would do nothing. "
                "Leave it out."
            )
        return None
    unread = [name for name in arguments if name not in GIVEN_ELSEWHERE and not _reads(text, name)]
    if unread:
        raise ValueError(f"{whose} does not read {unread[0]!r} of --chat_template_kwargs. Leave it out.")
    if CHANCE.search(text):
        raise ValueError(f"{whose} draws at random, so its prompts and scores would be others each time. {ANOTHER}")
    if CLOCK in arguments:
        day = _day(arguments.pop(CLOCK))
        text = CALL_OF_THE_CLOCK.sub(lambda call: f"({json.dumps(day.strftime(call[2]))})", text)
    return ChatTemplate(tokenizer, text, arguments)


def template_arguments(given: Mapping | str | None) -> dict | None:
    """--chat_template_kwargs as it is recorded: None where there are none."""
    if given is None or isinstance(given, Mapping):
        arguments = dict(given or {})
    else:
        try:
            arguments = json.loads(given)
        except ValueError as error:
            raise ValueError(_expected(given, f"no JSON ({error})")) from error
        if not isinstance(arguments, dict):
            raise ValueError(_expected(given, "no JSON object"))
    taken = sorted(OURS & arguments.keys())
    if taken:
        raise ValueError(
            f"--chat_template_kwargs has {taken[0]!r}, which is no argument of a template: it is set here. Leave it out."
        )
    if not isinstance(arguments.get(TEMPLATE, ""), str):
        raise ValueError(
            f"--chat_template_kwargs has {TEMPLATE} = {arguments[TEMPLATE]!r}; expected the text of a template."
        )
    if CLOCK in arguments:
        _day(arguments[CLOCK])
    return arguments or None


def _expected(given: str, what: str) -> str:
    return f"""--chat_template_kwargs {given!r} is {what}; expected an object such as '{{"enable_thinking": false}}'."""


def _own_template(tokenizer: PreTrainedTokenizerBase, whose: str) -> str | None:
    """The template of a tokenizer, of several the one that is called default."""
    own: Any = tokenizer.chat_template
    if isinstance(own, Mapping) and own:
        if not own.get("default"):
            raise ValueError(
                f"{whose} is not one but several ({', '.join(sorted(own))}), and none is called default. Give the text of one: "
                f"""--chat_template_kwargs '{{"{TEMPLATE}": "..."}}'"""
            )
        own = own["default"]
    if own and not isinstance(own, str):
        raise ValueError(f"{whose} is of type {type(own).__name__}, expected a text. {ANOTHER}")
    return own or None


def _day(given: Any) -> date:
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"--chat_template_kwargs has {CLOCK} = {given!r}; expected the date that a template shall write as today's, such as "
            "2025-01-31."
        ) from error


def _reads(template: str, name: str) -> bool:
    return re.search(rf"\b{re.escape(name)}\b", template) is not None


def _behind(prompt: str, written: str) -> str:
    return written[written.rfind(prompt.strip()) + len(prompt.strip()) :]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


@lru_cache  # once a process and template
def _warn(message: str) -> None:
    print(f"WARNING: {message}", file=sys.stderr)
