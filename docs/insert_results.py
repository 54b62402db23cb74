"""Fill the marked places of README.md and REPRODUCING.md with the tables that commands wrote.

A place is `<!-- docs/results/demo/report.md -->` ... `<!-- end -->`: it takes the Markdown table of that file. So no number in a document
is typed by hand; a test holds the documents against the files.

example: python docs/insert_results.py
"""

import re
from pathlib import Path

from rella_hub.files.replace import replacing_file

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "REPRODUCING.md")
PLACE = re.compile(r"<!-- (?P<file>\S+\.md) -->\n.*?<!-- end -->", re.DOTALL)


def main() -> None:
    for name in DOCUMENTS:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        if filled(text) != text:
            with replacing_file(path) as temporary:
                temporary.write_text(filled(text), encoding="utf-8")


def filled(document: str) -> str:
    """The document with every place filled from its file."""
    return PLACE.sub(
        lambda place: f"<!-- {place['file']} -->\n\n{tables(ROOT / place['file'])}\n\n<!-- end -->", document
    )


def tables(path: Path) -> str:
    """The Markdown tables of a file."""
    blocks = path.read_text(encoding="utf-8").split("\n\n")
    return "\n\n".join(block.strip() for block in blocks if block.lstrip().startswith("|"))


if __name__ == "__main__":
    main()
