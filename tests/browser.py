"""A headless Chromium of this machine for tests; there are none to be downloaded, so tests skip where it has none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def open_browser() -> Iterator:
    """A browser of playwright. Skips the test where there is no playwright, or no Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: the extra dev")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()
