"""Rationales: why a user chose what the user chose, in three steps, and the two prompts that ask for one.

    Step 1: what the user prefers, a paragraph.  Step 2: categories or brands that fit.  Step 3: items of each.

Source: SLIM (arXiv 2403.04260), section 3.1 and its tables of templates, for what each prompt and each step holds; the sentences are our
own. A teacher is led through the steps; a student, who has learnt them, is asked in one sentence. SLIM's wording calls every product a
movie; here an item is called what its corpus calls it. SLIM's student example shows three categories where its template asks for five.
"""

from __future__ import annotations

from collections.abc import Sequence

from rella_hub.corpora import Words

VERSION = 1  # rises whenever a character of a prompt, or what is read of an answer, changes
TEACHER, STUDENT = FORMS = ("teacher", "student")
MANY = 5  # categories or brands, and items of each


def prompt(form: str, words: Words, titles: Sequence[str]) -> str:
    """titles: of the behaviors that are shown, the oldest first. A prompt ends with a newline, an answer begins with its first step."""
    return _for_teacher(words, titles) if form == TEACHER else _for_student(words, titles)


def _for_teacher(words: Words, titles: Sequence[str]) -> str:
    item, order = words.item, ", the oldest first" if words.in_time_order else ""
    listed = "".join(f"{number}. {title}\n" for number, title in enumerate(titles, 1))
    return (
        f"A user has {words.consumed} these {item}s{order}:\n{listed}"
        f"Find out in three steps which {item}s the user may want next.\n"
        f"Step 1: say in a paragraph what the user prefers, as far as the {item}s above show it.\n"
        f"Step 2: name the {MANY} categories or brands that fit these preferences best.\n"
        f"Step 3: name {MANY} {item}s of each of these categories or brands.\n"
        'Write in English. Begin the steps with "Step 1:", "Step 2:" and "Step 3:", and write nothing before, between or after them.\n'
    )


def _for_student(words: Words, titles: Sequence[str]) -> str:
    item = words.item
    listed = ", ".join(f"{number}). {title}" for number, title in enumerate(titles))
    return (
        f"A user has {words.consumed} these {item}s: {listed}\n"
        f"Summarize briefly what the user prefers, name {MANY} categories or brands that fit, and {MANY} {item}s of each.\n"
    )
