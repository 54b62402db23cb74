"""Take docs/demo.png, the picture of the demo in the README: the app as it is after a click on its first example, in a headless Chromium.

example: python docs/photograph_demo.py      # after `make demo`, with the extras demo and dev
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

from rella_hub.files.replace import replacing_file

HERE = Path(__file__).parent
PORT, ADDRESS = 7871, "http://127.0.0.1:7871"
SIZE = {"width": 1500, "height": 1000}
MOST_SECONDS = 180  # until the weights are loaded


def main() -> None:
    program = shutil.which("chromium")
    if program is None:
        sys.exit("There is no Chromium on this machine. Install it: apt-get install chromium")
    app = subprocess.Popen([sys.executable, str(HERE.parent / "spaces/demo/app.py"), "--port", str(PORT)])
    try:
        wait(app)
        with sync_playwright() as driver, replacing_file(HERE / "demo.png") as temporary:
            browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(viewport=SIZE)
            page.goto(ADDRESS)
            page.get_by_role("button", name="asked about").first.click()
            page.get_by_text("both_means", exact=True).locator("visible=true").first.wait_for()
            page.wait_for_timeout(1_000)  # until nothing moves any more
            page.screenshot(path=temporary, full_page=True, type="png")
            browser.close()
    finally:
        app.terminate()
        app.wait()


def wait(app: subprocess.Popen) -> None:
    for _ in range(MOST_SECONDS):
        if app.poll() is not None:
            sys.exit("The demo did not start; what it said stands above.")
        try:
            with urllib.request.urlopen(ADDRESS, timeout=2):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(1)
    sys.exit(f"The demo did not answer within {MOST_SECONDS} seconds.")


if __name__ == "__main__":
    main()
