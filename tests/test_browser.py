"""The browser of the tests sees what a page does wrong: else every page would pass."""

from pathlib import Path

from tests.browser import Browser

GOOD = "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>t</title><main><h1>t</h1>"


def test_a_good_page_has_no_findings(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "good.html"
    page.write_text(GOOD + "<p>words</main>", encoding="utf-8")
    browser.look(390)
    browser.open(page.as_uri())
    assert (browser.violations(), browser.messages(), browser.overflow()) == ([], [], 0)
    assert browser.requests() == [page.as_uri()]


def test_each_fault_of_a_page_is_found(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    pale = "<p style='width:500px;color:#ccc;background:#fff'>pale</p>"
    page.write_text(f"{GOOD}<img src=missing.png>{pale}<script>unknown()</script></main>", encoding="utf-8")
    browser.look(390)
    browser.open(page.as_uri())
    assert browser.overflow() > 0
    assert {each.split()[0] for each in browser.violations()} >= {"image-alt", "color-contrast"}
    assert any("unknown is not defined" in each for each in browser.messages())
    assert browser.requests() == [page.as_uri(), (tmp_path / "missing.png").as_uri()]


def test_the_colour_scheme_is_the_one_asked_for(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "scheme.html"
    page.write_text(GOOD, encoding="utf-8")
    for dark in (True, False):
        browser.look(390, dark=dark)
        browser.open(page.as_uri())
        query = "return [matchMedia('(prefers-color-scheme: dark)').matches, innerWidth]"
        assert browser.driver.execute_script(query) == [dark, 390]
