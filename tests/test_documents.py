"""The documents: every table in them is the one that a command wrote, every file they name is there."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "REPRODUCING.md", "CONTRIBUTING.md")


def insert_results():
    spec = importlib.util.spec_from_file_location("insert_results", ROOT / "docs" / "insert_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", insert_results().DOCUMENTS)
def test_tables_are_those_of_the_result_files(name):
    document = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- end -->" in document, "the document quotes results"
    assert insert_results().filled(document) == document, "run python docs/insert_results.py"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_in_documents_exist(name):
    commands = re.findall(r"(?:python|bash) ((?:\w+/)+[\w.]+\.(?:py|sh))", (ROOT / name).read_text(encoding="utf-8"))
    missing = [command for command in commands if not (ROOT / command).is_file()]
    assert not missing


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
