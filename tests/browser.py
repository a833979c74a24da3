"""A headless Chromium for tests of pages: what was asked for, what the console says, and axe-core's findings.

Tests take the fixture `browser` (tests/conftest.py), which skips where there is no Chromium:

    def test_page(browser: Browser, page: Path) -> None:
        browser.look(390, dark=True)
        browser.open(page.as_uri())                # or an address of a server on the loopback
        browser.driver.find_element("css selector", "summary").click()
        assert browser.violations() == [] and browser.messages() == [] and browser.overflow() == 0
        assert browser.requests() == [page.as_uri()]
"""

import base64
import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

INSTALL = "no Chromium here: `apt-get install chromium chromium-driver` installs it on Debian"
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def programs() -> tuple[str, str] | None:
    """The paths of Chromium and its driver; None unless both are installed."""
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)]
    driver = shutil.which("chromedriver")
    return (str(found[0]), driver) if found and driver else None


class Browser:
    """One Chromium with a new empty profile in `profile`; `driver` is selenium's, for clicks."""

    def __init__(self, profile: Path) -> None:
        known = programs()
        assert known is not None, INSTALL
        options = Options()
        options.binary_location = known[0]
        for switch in (*SWITCHES, f"--user-data-dir={profile}"):
            options.add_argument(switch)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver: Any = webdriver.Chrome(options, Service(known[1]))
        self.driver.set_script_timeout(120)
        self._asked: list[str] = []

    def look(self, width: int, *, dark: bool = False, height: int = 900) -> None:
        """The size of the window in CSS pixels, and the colour scheme that the person prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def open(self, address: str) -> None:
        """Load a page and wait until it has loaded; forget the messages and requests of the one before."""
        self.driver.get("about:blank")
        self.messages()
        self.requests()
        self._asked.clear()
        self.driver.get(address)

    def messages(self) -> list[str]:
        """What the console said, from warnings on, since the last call: uncaught errors, blocked or missing files."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """The addresses that were asked for since `open`, the page's own first; not those of data in the page."""
        for entry in self.driver.get_log("performance"):
            event = json.loads(entry["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                self._asked.append(event["params"]["request"]["url"])
        return [each for each in self._asked if not each.startswith(("data:", "blob:", "about:"))]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        script = "const e = document.documentElement; return e.scrollWidth - e.clientWidth"
        return int(self.driver.execute_script(script))

    def violations(self) -> list[str]:
        """The rules of WCAG A and AA that axe-core finds broken, each with the first places."""
        spec = importlib.util.find_spec("axe_core_python")
        assert spec is not None
        assert spec.origin is not None
        self.driver.execute_script(Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
        run = "axe.run(document, arguments[0]).then(arguments[1], error => arguments[1]({error: String(error)}))"
        found: dict[str, Any] = self.driver.execute_async_script(run, RULES)
        assert "violations" in found, found
        return [
            f"{each['id']} ({each['help']}): " + "; ".join(node["html"][:200] for node in each["nodes"][:3])
            for each in found["violations"]
        ]

    def screenshot(self, path: Path) -> None:
        """The whole page, also what is below the window, as a PNG file."""
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(taken["data"]))

    def close(self) -> None:
        """End the browser and its driver."""
        self.driver.quit()
