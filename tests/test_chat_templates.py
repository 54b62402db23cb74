"""Chat templates in the manner of many model families, and damaged ones: right scores or one line, never a traceback or one score.

Each template is written anew, as small as the habit that it stands for. What is scored is held against a text that jinja2 alone
makes of the template and a plain forward pass over all of its tokens.
"""

import json
import shutil
from datetime import datetime
from pathlib import Path

import jinja2
import jinja2.sandbox
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rella_hub.language_models.chat_template import chat_template_of, template_arguments
from rella_hub.language_models.p_yes import p_yes
from rella_hub.language_models.tokens import answer_tokens, encode_completions, encode_prompts
from rella_hub.prompts import pointwise
from rella_hub.tables.scores import read_scores

REPOSITORY = Path(__file__).parents[1]
PROMPTS = [
    f'The user is a "{job}" & {age}.\n0. {title} (4 stars)\n1.  \\n Léon {{{{ x }}}} {{% y %}} (1 star)\n\nWill she like "{title}"?\n'
    "Answer with Yes or No and nothing else.\n"
    for job, age, title in (
        ("lawyer", "25-34", "Heat"),
        ("poet", "under 18", "It's <i>Up</i>"),
        ("cook", "56+", "A's B"),
    )
]
CONTROL = (
    *(
        "<s>",
        "</s>",
        "<|im_start|>",
        "<|im_end|>",
        "<|begin|>",
        "<|start|>",
        "<|stop|>",
        "<|eot|>",
        "<|user|>",
        "<|assistant|>",
    ),
    *(
        "<|end|>",
        "<|message|>",
        "<|channel|>",
        "<|return|>",
        "<turn>",
        "</turn>",
        "[INST]",
        "[/INST]",
        "<|system|>",
        "<|sep|>",
    ),
)


def make_tokenizer(eos: str = "</s>") -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Y", "e"), ("Ye", "s"), ("N", "o")]
    vocabulary = {piece: i for i, piece in enumerate([*alphabet, *(a + b for a, b in merges)])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(CONTROL))
    tokenizer.add_tokens(["<think>", "</think>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token=eos, name_or_path="org/base")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=300, initializer_range=0.3, **shape)).eval()


CHAT_ML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NO_THOUGHTS = (
    "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
)
THINKER = (
    "{% for m in messages %}{% if m.role == 'assistant' %}"
    "{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' + m.content + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}" + NO_THOUGHTS + "{% endif %}"
)
HEADERS = (
    "{% for m in messages %}{{ '<|start|>' + m.role + '<|stop|>\n\n' + m.content | trim + '<|eot|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant<|stop|>\n\n' }}{% endif %}"
)
DATED = (
    "{{ bos_token }}{% if not date_string is defined %}{% if strftime_now is defined %}{% set date_string = strftime_now('%d %b %Y') %}"
    "{% else %}{% set date_string = '26 Jul 2024' %}{% endif %}{% endif %}"
    "{{ '<|start|>system<|stop|>\n\nToday Date: ' + date_string + '\n\n<|eot|>' }}" + HEADERS
)
HARMONY = (
    "{{ '<|start|>system<|message|>Current date: ' + strftime_now(\"%Y-%m-%d\") + '<|end|>' }}{% for m in messages %}"
    "{% if m.role == 'assistant' %}{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|return|>' }}"
    "{% else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
ALTERNATING = (
    "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if m.role == 'user' %}"
)
INST = ALTERNATING + (
    "{{ '[INST] ' + m.content + ' [/INST]' }}{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
DAY = {"strftime_now": "2025-01-31"}
# family: template, arguments, end-of-text token
RIGHT = {
    "chatml": (CHAT_ML, None, "<|im_end|>"),
    "chatml whose text ends otherwise": (CHAT_ML, None, "</s>"),
    "qwen 2, with a system text of its own": (
        "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
        + CHAT_ML,
        *(None, "<|im_end|>"),
    ),
    "qwen 2.5, which knows tools": (
        "{%- if tools %}\n    {{- '<|im_start|>system\n' }}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{{ '<|im_end|>\n' }}"
        "\n{%- else %}\n    {{- '<|im_start|>system\nHelp.<|im_end|>\n' }}\n{%- endif %}\n" + CHAT_ML,
        *(None, "<|im_end|>"),
    ),
    "qwen 3, thinking": (THINKER, None, "<|im_end|>"),
    "qwen 3, not thinking": (THINKER, {"enable_thinking": False}, "<|im_end|>"),
    "smollm 3, dated": ("{% set today = strftime_now('%d %B %Y') %}{{ today }}" + THINKER, DAY, "<|im_end|>"),
    "llama 2": (INST, None, "</s>"),
    "llama 2, trimmed": (INST.replace("m.content + ' [/", "m.content.strip() + ' [/"), None, "</s>"),
    "llama 3": ("{{ bos_token }}" + HEADERS, None, "<|eot|>"),
    "llama 3.1 of a day": (DATED, {"date_string": "26 Jul 2024"}, "<|eot|>"),
    "llama 3.1 of a pinned day": (DATED, DAY, "<|eot|>"),
    "llama 4, whose content is text or parts": (
        (
            "{{ bos_token }}{% for m in messages %}{{ '<|start|>' + m.role + '<|stop|>\n\n' }}{% if m.content is string %}{{ m.content }}"
            "{% else %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|eot|>{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|start|>assistant<|stop|>\n\n' }}{% endif %}"
        ),
        *(None, "<|eot|>"),
    ),
    "mistral v3, which has no generation prompt": (
        (
            "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]{% else %} {{ m.content }}</s>"
            "{% endif %}{% endfor %}"
        ),
        *(None, "</s>"),
    ),
    "mixtral, with loop controls": (
        "{% for m in messages %}{% if m.role == 'tool' %}{% continue %}{% endif %}[INST] {{ m.content }} [/INST]{% endfor %}",
        *(None, "</s>"),
    ),
    "mistral small, dated": (
        (
            "{%- set today = strftime_now(\"%Y-%m-%d\") %}{{ bos_token }}{{ '[INST]Today is ' + today + '. ' }}{% for m in messages %}"
            "{{ m.content + '[/INST]' if m.role == 'user' else m.content + eos_token }}{% endfor %}"
        ),
        *(DAY, "</s>"),
    ),
    "gemma, without a role of the system": (
        (
            "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
            "{% for m in messages %}{% set role = 'model' if m.role == 'assistant' else m.role %}"
            "{{ '<turn>' + role + '\n' + m.content | trim + '</turn>\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<turn>model\n' }}{% endif %}"
        ),
        *(None, "</turn>"),
    ),
    "phi 3": (
        (
            "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "phi 4": (
        (
            "{% for m in messages %}{{ '<|im_start|>' + m.role + '<|sep|>' + m.content + '<|im_end|>' }}{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant<|sep|>{% endif %}"
        ),
        *(None, "<|im_end|>"),
    ),
    "zephyr": (
        (
            "{% for m in messages %}\n{% if m['role'] == 'user' %}\n{{ '<|user|>\n' + m['content'] + eos_token }}\n"
            "{% elif m['role'] == 'assistant' %}\n{{ '<|assistant|>\n' + m['content'] + eos_token }}\n{% endif %}\n"
            "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
        ),
        *(None, "</s>"),
    ),
    "vicuna": (
        (
            "{{ 'A chat. ' }}{% for m in messages %}"
            "{{ 'USER: ' + m.content if m.role == 'user' else ' ASSISTANT: ' + m.content + eos_token }}"
            "{% endfor %}{% if add_generation_prompt %}{{ ' ASSISTANT:' }}{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "command r, several": (
        {"default": CHAT_ML, "tool_use": "{{ tools[0] }}", "rag": "{% for d in documents %}{{ d }}{% endfor %}"},
        *(None, "<|im_end|>"),
    ),
    "yi, of a role in words": (
        "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}" + CHAT_ML,
        *(None, "<|im_end|>"),
    ),
    "internlm": ("{{ bos_token }}" + CHAT_ML, None, "<|im_end|>"),
    "granite, dated": (
        (
            "{{ '<|start|>system<|stop|>Knowledge Cutoff. Today\\'s Date: ' + strftime_now('%B %d, %Y') + '.</s>\n' }}"
            "{% for m in messages %}{{ '<|start|>' + m.role + '<|stop|>' + m.content + '</s>\n' }}{% endfor %}"
            "{% if add_generation_prompt %}<|start|>assistant<|stop|>{% endif %}"
        ),
        *(DAY, "</s>"),
    ),
    "olmo": (
        (
            "{{ eos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '<|user|>\n' + m.content + '\n' }}{% else %}"
            "{{ '<|assistant|>\n' + m.content + eos_token }}{% endif %}{% if loop.last and add_generation_prompt %}{{ '<|assistant|>\n' }}"
            "{% endif %}{% endfor %}"
        ),
        *(None, "</s>"),
    ),
    "falcon, plain words": (
        (
            "{% for m in messages %}{% if not loop.first %}{{ '\n' }}{% endif %}{{ m.role | capitalize + ': ' + m.content.strip() }}"
            "{% endfor %}"
            "{% if add_generation_prompt %}{{ '\nAssistant:' }}{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "glm 4": (
        (
            "{{ '[gMASK]<sop>' }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}"
        ),
        *(None, "<|user|>"),
    ),
    "gpt-oss of a pinned day": (HARMONY, DAY, "<|return|>"),
    "nemotron": (
        (
            "{{ '<extra>System\n\n' }}{% for m in messages %}{{ '<extra>' + m.role | title + '\n' + m.content + '\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<extra>Assistant\n' }}{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "hermes, by a macro": (
        (
            "{% macro turn(m) %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endmacro %}{{ bos_token }}"
            "{% for m in messages %}{{ turn(m) }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
        ),
        *(None, "<|im_end|>"),
    ),
    "starling": (
        (
            "{{ bos_token }}{% for m in messages %}{{ 'GPT4 Correct ' + m.role.title() + ': ' + m.content + '<|end|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'GPT4 Correct Assistant:' }}{% endif %}"
        ),
        *(None, "<|end|>"),
    ),
    "baichuan": (
        (
            "{% for m in messages %}{{ ('<|user|>' if m.role == 'user' else '<|assistant|>') + m.content }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "deepseek v3, by a namespace": (
        (
            "{% set ns = namespace(last='') %}{{ bos_token }}{% for m in messages %}{% set ns.last = m.role %}"
            "{{ '<|user|>' + m.content if m.role == 'user' else '<|assistant|>' + m.content + eos_token }}{% endfor %}"
            "{% if add_generation_prompt and ns.last == 'user' %}<|assistant|>{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "deepseek v3.1, not thinking": (
        (
            "{% if not thinking is defined %}{% set thinking = true %}{% endif %}{% for m in messages %}"
            "{{ '<|user|>' + m.content if m.role == 'user' else '<|assistant|></think>' + m.content + eos_token }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' + ('<think>' if thinking else '</think>') }}{% endif %}"
        ),
        *({"thinking": False}, "</s>"),
    ),
    "alpaca, in words alone": (
        (
            "{% for m in messages %}"
            "{{ '### ' + ('Instruction' if m.role == 'user' else 'Response') + ':\n' + m.content + '\n\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "with the place of the generation marked": (
        (
            "{% for m in messages %}{% if m.role == 'assistant' %}<|assistant|>{% generation %}{{ m.content }}</s>{% endgeneration %}"
            "{% else %}<|user|>{{ m.content }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
        ),
        *(None, "</s>"),
    ),
    "that says the message twice": (
        "{% set p = messages[0].content %}Read: {{ p }} Again: {{ p }}\n[/INST]",
        None,
        "</s>",
    ),
    "given with the arguments, for a base without one": (None, {"chat_template": CHAT_ML}, "<|im_end|>"),
    "none": (None, None, "</s>"),
}
ONE_TURN = (
    "{%% for m in messages %%}<|user|>%s<|end|>{%% endfor %%}{%% if add_generation_prompt %%}<|assistant|>{%% endif %%}"
)
LOST = "does not write a user's message as it is"
WRONG = {
    "lower case": (ONE_TURN % "{{ m.content | lower }}", None, LOST),
    "escaped": (ONE_TURN % "{{ m.content | e }}", None, LOST),
    "cut": (ONE_TURN % "{{ m.content[:100] }}", None, LOST),
    "truncated": (ONE_TURN % "{{ m.content | truncate(40) }}", None, LOST),
    "of one line": (ONE_TURN % "{{ m.content | replace('\n', ' ') }}", None, LOST),
    "wrapped": (ONE_TURN % "{{ m.content | wordwrap(20) }}", None, LOST),
    "stripped line by line": (ONE_TURN % "{{ m.content.split() | join(' ') }}", None, LOST),
    "as JSON": (ONE_TURN % "{{ m.content | tojson }}", None, LOST),
    "without the message": (ONE_TURN % "", None, LOST),
    "parts of content alone": (ONE_TURN % "{% for part in m.content %}{{ part.text }}{% endfor %}", None, LOST),
    "of the system alone": (
        "{% for m in messages %}{% if m.role == 'system' %}{{ m.content }}{% endif %}{% endfor %}",
        None,
        LOST,
    ),
    "another key": (ONE_TURN % "{{ m.text }}", None, LOST),
    "syntax": ("{% for m in messages %}{{ m.content }", None, "refuses a user's message (TemplateSyntaxError"),
    "not ended": ("{% for m in messages %}{{ m.content }}", None, "refuses a user's message (TemplateSyntaxError"),
    "unknown filter": (ONE_TURN % "{{ m.content | shout }}", None, "No filter named 'shout'"),
    "unknown name": ("{{ persona.name }}" + CHAT_ML, None, "'persona' is undefined). What it wants"),
    "wants tools": ("{% for t in tools %}{{ t }}{% endfor %}" + CHAT_ML, None, "refuses a user's message (TypeError"),
    "wants a system text": (
        "{% if messages[0].role != 'system' %}{{ raise_exception('say who you are\nfirst') }}{% endif %}" + CHAT_ML,
        *(None, "(TemplateError: say who you are first)"),
    ),
    "divides by zero": ("{{ 1 // 0 }}" + CHAT_ML, None, "ZeroDivisionError"),
    "calls itself": ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}" + CHAT_ML, None, "RecursionError"),
    "leaves the sandbox": ("{{ messages.__class__.__mro__[1].__subclasses__() }}" + CHAT_ML, None, "SecurityError"),
    "today's date": ("{{ strftime_now('%Y') }}" + CHAT_ML, None, "writes today's date"),
    "today's date, by a name": (DATED, None, """--chat_template_kwargs '{"strftime_now": "2025-01-31"}'"""),
    "today's date in a form of its own": (
        "{% set form = '%Y' %}{{ strftime_now(form) }}" + CHAT_ML,
        *(DAY, "writes today's date"),
    ),
    "at random": ("{{ ['Hi', 'Hello'] | random }}" + CHAT_ML, None, "draws at random"),
    "chatml without a generation prompt": (CHAT_ML.partition("{% if add")[0], None, "leaves no place for an answer"),
    "headers without a generation prompt": (HEADERS.partition("{% if add")[0], None, "leaves no place for an answer"),
    "ends with the end of text": (
        "{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}",
        None,
        "it ends with '</s>'",
    ),
    "ends with the end of text and a line": (
        "{{ messages[0].content }}{{ eos_token }}\n\n",
        None,
        "it ends with '</s>'",
    ),
    "deepseek r1": (
        (
            "{% for m in messages %}{{ '<|user|>' + m.content if m.role == 'user' else '<|assistant|>' + m.content }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|><think>\n' }}{% endif %}"
        ),
        *(None, "ends inside of the model's thoughts"),
    ),
    "deepseek v3.1, thinking": (
        RIGHT["deepseek v3.1, not thinking"][0],
        *(None, """Pass --chat_template_kwargs '{"thinking": false}'"""),
    ),
    "several without a default": ({"rag": CHAT_ML, "tool_use": CHAT_ML}, None, "not one but several (rag, tool_use)"),
    "an argument that it does not read": (CHAT_ML, {"enable_thinkin": False}, "does not read 'enable_thinkin'"),
    "arguments without a template": (None, {"enable_thinking": False}, "has no chat template"),
    "the name of a template as its text": (CHAT_ML, {"chat_template": "rag"}, LOST),
}


def independent(template: str | dict | None, arguments: dict | None, prompt: str, eos: str) -> str:
    """What jinja2 alone makes of a template, with the clock at the day that is asked for."""
    arguments = dict(arguments or {})
    template = arguments.pop("chat_template", template)
    if template is None:
        return prompt
    day = arguments.pop("strftime_now", None)
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    if day:
        environment.globals["strftime_now"] = datetime.fromisoformat(day).strftime
    environment.filters["tojson"] = json.dumps
    environment.globals["raise_exception"] = None  # a template that calls it is refused
    text = template["default"] if isinstance(template, dict) else template
    text = text.replace("{% generation %}", "").replace("{% endgeneration %}", "")
    names = {"messages": [{"role": "user", "content": prompt}], "bos_token": "<s>", "eos_token": eos, "tools": None}
    return environment.from_string(text).render(**names, add_generation_prompt=True, **arguments)


def expected_scores(model, tokenizer, template, arguments, eos: str) -> np.ndarray:
    """One prompt at a time, all logits, by the tokenizers library."""
    scores = []
    no, yes = (tokenizer.convert_tokens_to_ids(word) for word in ("No", "Yes"))
    for prompt in PROMPTS:
        text = independent(template, arguments, prompt, eos)
        assert prompt.strip() in text
        ids = tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1].double()
        scores.append((logits[yes].exp() / (logits[yes].exp() + logits[no].exp())).item())
    return np.array(scores)


def scores_of(model, tokenizer, arguments) -> np.ndarray:
    ids = encode_prompts(tokenizer, PROMPTS, None, arguments)
    return p_yes(model, ids, answer_tokens(tokenizer, PROMPTS[0], pointwise.ANSWERS, arguments))


@pytest.mark.parametrize("family", RIGHT)
def test_scores_are_those_of_a_plain_forward_pass_on_the_text_that_jinja_makes(family, model):
    template, arguments, eos = RIGHT[family]
    tokenizer = make_tokenizer(eos)
    tokenizer.chat_template = template
    arguments = template_arguments(arguments)
    found = scores_of(model, tokenizer, arguments)
    assert found == pytest.approx(expected_scores(model, tokenizer, template, arguments, eos), abs=1e-5)
    assert np.ptp(found) > 1e-4, "one score for all"
    for completion in encode_completions(tokenizer, PROMPTS[1], pointwise.ANSWERS, arguments):
        assert tokenizer.convert_ids_to_tokens(completion)[1:] == [".", eos]


@pytest.mark.parametrize("damage", WRONG)
def test_what_cannot_be_right_is_refused_in_one_line(damage, model):
    template, arguments, said = WRONG[damage]
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    with pytest.raises(ValueError, match="--chat_template_kwargs") as raised:
        scores_of(model, tokenizer, template_arguments(arguments))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "org/base" in str(raised.value)


CONTENTS = (
    *(
        "m.content",
        "m['content']",
        "m.content | trim",
        "m.content.strip()",
        "m.content | string",
        "'%s' | format(m.content)",
    ),
    *(
        "m.content | e",
        "m.content | upper",
        "m.content[1:]",
        "m.content[:-9]",
        "m.content | striptags",
        "m.content | indent",
    ),
    *(
        "m.content.split('Will')[0]",
        "m.content | urlencode",
        "m.content | first",
        "(m.content | list) | join",
        "m.nothing.more",
    ),
    *(
        "m.content.split('</think>')[-1]",
        "m.content | int",
        "m.content | length",
        "m.content.rstrip('\n')",
        "m.content % 1",
    ),
)
BEFORE = (
    "",
    "{{ bos_token }}",
    "<|user|>\n",
    "{{ m.role }}: ",
    "{{ strftime_now('%j') }}",
    "{{ raise_exception(m.role) }}",
    "[INST]",
)
AFTER = ("", "<|end|>", "{{ eos_token }}", "\n", " [/INST]", "<think>", "</think>", "{{ m.name.first }}")
GENERATION = (
    "",
    "<|assistant|>\n",
    "{{ eos_token }}",
    "\nAnswer:",
    "<|assistant|><think>",
    "{{ 1 / 0 }}",
    "{{ messages[1].content }}",
)
AROUND = (
    "%s",
    "{%% for m in messages %%}%s{%% endfor %%}",
    "{%% set m = messages[-1] %%}%s",
    "{%% if tools %%}%s{%% endif %%}",
)


@settings(max_examples=100)
@given(*(st.sampled_from(parts) for parts in (AROUND, BEFORE, CONTENTS, AFTER, GENERATION)))
def test_whatever_a_template_does_the_prompt_is_whole_or_it_is_refused(
    model, around, before, content, after, generation
):
    turn = f"{before}{{{{ {content} }}}}{after}"
    template = around % turn + "{% if add_generation_prompt %}" + generation + "{% endif %}"
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    refusal = None
    try:
        found = scores_of(model, tokenizer, None)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        assert "\n" not in refusal, "one line"
        assert "org/base" in refusal or "merges the end" in refusal
        return
    assert found == pytest.approx(expected_scores(model, tokenizer, template, None, "</s>"), abs=1e-5)
    assert np.ptp(found) > 1e-4


def test_a_model_that_would_think_first_is_said_once(capsys):
    tokenizer = make_tokenizer("<|im_end|>")
    tokenizer.chat_template, tokenizer.name_or_path = THINKER, "org/thinker"
    for _ in range(2):
        encode_prompts(tokenizer, PROMPTS, None)
    said = capsys.readouterr().err
    assert said.count("WARNING: The chat template of 'org/thinker' writes '<think>") == 1
    assert """Pass --chat_template_kwargs '{"enable_thinking": false}'.""" in said
    encode_prompts(tokenizer, PROMPTS, None, {"enable_thinking": False})
    assert not capsys.readouterr().err


def test_a_prompt_with_a_control_token_in_it_is_refused():
    tokenizer = make_tokenizer()
    for template, token in ((None, "</s>"), (CHAT_ML, "<|im_end|>"), (THINKER, "<think>")):
        tokenizer.chat_template = template
        with pytest.raises(ValueError, match="reads as a control token and not as text") as raised:
            encode_prompts(tokenizer, [*PROMPTS, f"0. Heat\n1. The {token} of it\n2. Up"], None)
        assert repr(token) in str(raised.value)
        assert f"'1. The {token} of it'" in str(raised.value)
    tokenizer.chat_template = CHAT_ML
    assert encode_prompts(tokenizer, ["I <think> so"], None), "no token of this template"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("enable_thinking=false", "is no JSON"),
        ("[1]", "is no JSON object"),
        ('{"tokenize": true}', "has 'tokenize', which is no argument of a template"),
        ('{"add_generation_prompt": false}', "has 'add_generation_prompt'"),
        ('{"chat_template": ["a"]}', "expected the text of a template"),
        ('{"strftime_now": "today"}', "strftime_now = 'today'; expected the date"),
        ('{"strftime_now": 2025}', "strftime_now = 2025; expected the date"),
    ],
)
def test_wrong_arguments_are_refused(given, said):
    with pytest.raises(ValueError, match="--chat_template_kwargs") as raised:
        template_arguments(given)
    assert said in str(raised.value)


def test_arguments_are_the_same_however_they_are_written():
    assert template_arguments('{"a": false,"b":1}') == template_arguments({"b": 1, "a": False}) == {"a": False, "b": 1}
    assert template_arguments("{}") == template_arguments(None) == template_arguments({}) is None


def test_the_date_of_a_template_is_that_which_is_asked_for():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{{ strftime_now('%d %B %Y') }}{% if strftime_now is defined %}!{% endif %}" + CHAT_ML
    assert chat_template_of(tokenizer, {"strftime_now": "2024-02-29"}).fill("Hi").startswith("29 February 2024!")


# The commands.

DATA = "runs/smoke/data"
COMMON = ("--dataset", DATA, "--config_name", "subr_k5", "--limit", "12", "--split", "validation")


@pytest.fixture
def base(smoke, tmp_path, monkeypatch) -> Path:
    """A copy of the smoke run's base, for a template to be put beside it."""
    monkeypatch.chdir(smoke.folder)
    return Path(shutil.copytree("runs/smoke/base", tmp_path / "base"))


THINKS = "User: {{ messages[0].content }}\nModel:{% if enable_thinking is defined and not enable_thinking %} <think></think>\n{% endif %}"


@pytest.mark.parametrize("damage", ["lower case", "syntax", "wants tools", "today's date", "ends with the end of text"])
def test_every_command_refuses_a_template_in_one_line_before_any_work(command, base, tmp_path, capsys, damage):
    template, _, said = WRONG[damage]
    (base / "chat_template.jinja").write_text(template, encoding="utf-8")
    tuning = ["--config", REPOSITORY / "training/recipes/smoke/rella.yaml", "--base", base]
    for line in (
        ["evaluation/score.py", "--base", base, *COMMON, "--output", tmp_path / "out/scores.parquet"],
        ["evaluation/compare.py", "--base", base, *COMMON, "--resamples", 40, "--output", tmp_path / "out"],
        ["training/sft.py", *tuning, "--output_dir", tmp_path / "out"],
    ):
        assert command(*line) == 2
        error = capsys.readouterr().err
        assert said.replace("</s>", "<|end|>") in error
        assert "Traceback" not in error
        assert len([part for part in error.splitlines() if part.startswith("error: ")]) == 1
    assert not (tmp_path / "out").exists()


def test_template_arguments_are_recorded_and_an_adapter_is_scored_with_those_it_was_trained_with(
    command, base, tmp_path, capsys
):
    (base / "chat_template.jinja").write_text(THINKS, encoding="utf-8")
    given = ["--chat_template_kwargs", '{"enable_thinking": false}']
    tuning = ["--config", REPOSITORY / "training/recipes/smoke/rella.yaml", "--base", base, "--num_shots", 16]
    run = tmp_path / "run"
    assert command("training/sft.py", *tuning, "--num_train_epochs", 1, *given, "--output_dir", run) == 0
    assert json.loads((run / "adapter/base_model.json").read_text())["chat_template_kwargs"] == {
        "enable_thinking": False
    }
    assert "chat_template_kwargs:\n  enable_thinking: false\n" in (run / "recipe.yaml").read_text()
    again = ["--config", run / "recipe.yaml", "--output_dir", run]
    capsys.readouterr()
    assert command("training/sft.py", *again) == 0
    assert "unchanged inputs, kept." in capsys.readouterr().out

    scoring = ["evaluation/score.py", "--base", base, *COMMON, "--adapter", run / "adapter"]
    comparing = ["evaluation/compare.py", "--base", base, *COMMON, "--resamples", 40, "--adapters", run / "adapter"]
    for line in ([*scoring, "--output", tmp_path / "a.parquet"], [*comparing, "--output", tmp_path / "compared"]):
        assert command(*line) == 2
        assert """Pass --chat_template_kwargs '{"enable_thinking": false}'.""" in capsys.readouterr().err
        assert command(*line, *given) == 0
    record = read_scores(tmp_path / "a.parquet").record
    assert record["chat_template_kwargs"] == {"enable_thinking": False}
    assert np.array_equal(
        read_scores(tmp_path / "a.parquet").score, read_scores(tmp_path / "compared/scores/run.parquet").score
    )
    assert command("model_cards/render.py", "--run", run, "--output", tmp_path / "card.md") == 0
    card = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "add_generation_prompt=True, enable_thinking=False)" in card
    zero_shot = ["evaluation/score.py", "--base", base, *COMMON, "--output", tmp_path / "b.parquet"]
    assert command(*zero_shot) == 0
    assert command(*zero_shot, *given) == 2
    assert "its chat_template_kwargs is None, asked for is {'enable_thinking': False}" in capsys.readouterr().err
