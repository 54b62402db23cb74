"""The demo in a browser: pick or type a history, see what each view shows of it, the prompt, and what every system answers.

example:
  python spaces/demo/app.py                                    # what `make demo` made
  python spaces/demo/app.py --dataset rella/ml1m --base runs/ml1m/small_base --adapters runs/ml1m/small_rella/adapter \
      --models runs/ml1m/din --history_length 30
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rella_hub import cli
from rella_hub.cli.extras import how_to_install
from rella_hub.demo.options import DemoOptions, ServerOptions
from rella_hub.systems import choice

OPTIONS = Path(__file__).with_name("options.yaml")
WIDTHS = ["52%", "24%", "24%"]  # of the columns of a view
MOST_WAITING = 50  # people in the queue


def main() -> None:
    options, base, server = cli.parse(
        DemoOptions, choice.base_options(), ServerOptions, description=__doc__, fallback=OPTIONS
    )
    try:
        import gradio
    except ImportError as error:
        raise ValueError(f"The demo needs gradio: {how_to_install('demo')}.") from error
    from rella_hub.demo.answer import open_demo

    demo = open_demo(options, base)
    demo.first()  # loads the weights, so that nobody waits for them
    blocks = page(gradio, demo)
    blocks.queue(max_size=MOST_WAITING, api_open=False)
    blocks.launch(server_name=server.host, server_port=server.port, theme=theme(gradio))


def theme(gradio):
    """Fonts of the reader's machine, and none from another host."""
    return gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["monospace"])


def page(gradio, demo):
    """The layout, and what each click calls."""
    from rella_hub.demo.answer import SCORE_COLUMNS, VIEW_COLUMNS
    from rella_hub.demo.shown import LONGEST, VIEWS

    people = {example.case.user: demo.person(example.case.user) for example in demo.examples}
    word = demo.catalogue.corpus.words.item
    with gradio.Blocks(title="ReLLa", analytics_enabled=False, fill_width=True) as blocks:
        gradio.Markdown("# Which behaviors is a language model shown?")
        gradio.Textbox(demo.notice, label="Data", interactive=False)
        with gradio.Row():
            buttons = [gradio.Button(example.name, size="sm", min_width=260) for example in demo.examples]
        with gradio.Row():
            with gradio.Column():
                person = gradio.Dropdown([(name, user) for user, name in people.items()], label="Whose profile is told")
                history = gradio.Textbox(label="History, the oldest first, a line each", lines=12, max_lines=12)
            with gradio.Column():
                search = gradio.Textbox(label=f"Search a {word}", placeholder="part of its title")
                found = gradio.Dropdown([], label="Found", allow_custom_value=True)
                stars = gradio.Radio([f"{rating:g}" for rating in demo.catalogue.ratings], label="Stars")
                with gradio.Row():
                    add = gradio.Button("Add to the history")
                    ask_about = gradio.Button("Ask about it")
                target = gradio.Textbox(label="Target")
                view = gradio.Radio(list(VIEWS), value="subr", label="View that the prompt shows")
                length = gradio.Slider(1, LONGEST, value=demo.history_length, step=1, label="K, how many are shown")
                ask = gradio.Button("Ask", variant="primary")
        said = gradio.Textbox(label="Answer", interactive=False)
        scores = gradio.Dataframe(headers=list(SCORE_COLUMNS), datatype="str", label="P(Yes)", interactive=False)
        with gradio.Row():
            shown = [
                gradio.Dataframe(
                    headers=list(VIEW_COLUMNS), datatype="str", label=name, interactive=False, column_widths=WIDTHS
                )
                for name in VIEWS
            ]
        prompt = gradio.Textbox(label="Prompt", lines=8, max_lines=30, interactive=False)
        question, answers = [person, history, target, view, length], [said, scores, prompt, *shown]
        answer = partial(answered, demo)
        for event in (ask.click, length.release, view.change):
            event(answer, question, answers)
        for button, example in zip(buttons, demo.examples, strict=True):
            chosen = button.click(partial(example_values, demo, example), None, [person, history, target])
            chosen.then(answer, question, answers)
        search.change(lambda text: gradio.Dropdown(choices=demo.catalogue.search(text or "")), search, found)
        add.click(partial(added, demo), [history, found, stars], [history, said])
        ask_about.click(lambda title: title or "", found, target)
    return blocks


def answered(demo, person, history, target, view, length):
    found = demo.answer(-1 if person is None else person, history, target, view, length)
    return found.said, found.scores, found.prompt, *found.views.values()


def example_values(demo, example):
    from rella_hub.demo.case import as_text

    case = example.case
    return case.user, as_text(demo.catalogue, case), demo.catalogue.titles[case.target]


def added(demo, history, title, stars):
    """The history with one line more, and what is to be said."""
    if not title or not stars:
        return history, f"Choose a {demo.catalogue.corpus.words.item} that was found, and its stars."
    return "\n".join(
        filter(None, [(history or "").rstrip(), f"{title} ({stars} star{'s' if float(stars) > 1 else ''})"])
    ), ""


if __name__ == "__main__":
    cli.run(main)
