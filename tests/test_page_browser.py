"""The results page in a real Chromium: sorted, filtered, by keyboard too, and nothing fetched, nothing executed."""

import pytest
from browser import open_browser
from page_reports import EVIL, text_of, write_reports


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = write_reports(tmp_path_factory.mktemp("reports"))
    path = folder / "index.html"
    path.write_text(text_of(folder), encoding="utf-8")
    with open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(10_000)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        yield page


@pytest.fixture(autouse=True)
def fresh(page):
    page.reload()


def shown(page, column: int) -> list[str]:
    """The texts of a column in the rows that are seen, without their small print."""
    rows = page.locator("tbody tr:visible")
    return [row.locator("th, td").nth(column).inner_text().split("\n")[0].strip() for row in rows.all()]


def test_nothing_is_fetched_or_executed(page):
    assert page.said == []
    assert {url.split(":")[0] for url in page.asked} == {"file"}
    assert EVIL in shown(page, 0)


def test_a_heading_sorts_both_ways_and_says_so(page):
    heading = page.locator("thead th", has_text="AUC").first
    column = page.locator("thead th").evaluate_all("(all, one) => all.indexOf(one)", heading.element_handle())
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    values = [float(text) for text in shown(page, column)]
    assert values == sorted(values, reverse=True)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in shown(page, column)] == sorted(values)
    assert page.locator("[aria-sort]").count() == 1


def test_n_sorts_as_numbers_by_keyboard_alone(page):
    button = page.locator("thead th button", has_text="N").first
    button.focus()
    page.keyboard.press("Enter")
    found = list(dict.fromkeys(shown(page, 2)))
    assert found == ["zero-shot", "8,192", "<1%", "<10%", "all"]


def test_filters_choose_rows_and_say_how_many(page):
    total = len(shown(page, 0))
    page.get_by_role("combobox", name="N", exact=True).select_option("8,192")
    assert shown(page, 0) == ["rella"]
    assert page.get_by_role("status").inner_text() == f"1 of {total} rows"
    page.get_by_role("combobox", name="Base", exact=True).select_option("Vicuna-7B")
    assert shown(page, 0) == []
    page.get_by_role("button", name="Show all").click()
    page.get_by_role("status").get_by_text(f"{total} rows", exact=True).wait_for()
    page.get_by_label("rows of papers").uncheck()
    assert sorted(shown(page, 0)) == sorted(["zero_shot", "rella", EVIL])
    page.get_by_role("searchbox", name="System").fill("REL")
    assert shown(page, 0) == ["rella"]
    page.get_by_role("combobox", name="View", exact=True).select_option("subr")
    assert shown(page, 0) == ["rella"]


def test_a_number_opens_how_it_was_made(page):
    row = page.locator("tbody tr", has_text="8,192")
    row.locator("td a").first.click()
    details = page.locator("details[open]")
    details.wait_for()
    assert "--adapter someone/rella" in details.locator("pre").inner_text()
    assert details.locator("a").get_attribute("href") == "https://huggingface.co/someone/rella"


def test_it_fits_a_telephone(page):
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 720})
