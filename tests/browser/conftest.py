"""A real browser, Chromium without a window, for what only a browser can show."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--window-size=1200,900",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 60.0
"""Seconds until what a page has to do counts as never done."""


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Selenium's driver of a fresh Chromium."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        pytest.skip("NO BROWSER: selenium is not installed; pip install '.[test]'")
    browser = next((found for found in map(shutil.which, _NAMES) if found), None)
    tool = shutil.which("chromedriver")
    if browser is None or tool is None:
        pytest.skip("NO BROWSER: Chromium and its driver are not installed; apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(tool))
    try:
        yield started
    finally:
        started.quit()


class Page:
    """A page in the browser."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path) -> None:
        """Show a file and wait until it says that it is ready."""
        self.driver.get("about:blank")
        self.driver.get_log("browser")  # what was logged before is not this page's
        self.driver.get(path.as_uri())
        self.until("return document.documentElement.dataset.ready === 'true'")
        self.settle()

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a function's body in the page."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str) -> None:
        """Wait until a function's body returns true."""
        end = time.monotonic() + _PATIENCE
        while not self.run(script):
            assert time.monotonic() < end, f"never came true: {script}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until everything is drawn."""
        self.until("return !app.view.requested && !app.view.job && !app.view.stale")

    def find(self, name: str) -> Any:
        """The element of an id."""
        return self.driver.find_element("id", name)

    def text(self, name: str) -> str:
        """The text of an element."""
        return str(self.run("return document.getElementById(arguments[0]).textContent", name))

    def press(self, *keys: str) -> None:
        """Press keys while the image has the focus."""
        for key in keys:
            self.find("view").send_keys(key)
        self.settle()

    def slide(self, name: str, value: int) -> None:
        """Set a slider, as dragging it does."""
        self.run(
            "const s = document.getElementById(arguments[0]);"
            "s.value = arguments[1]; s.dispatchEvent(new Event('input'))",
            name,
            value,
        )
        self.settle()

    def choose(self, name: str, value: str) -> None:
        """Choose from a list."""
        from selenium.webdriver.support.ui import Select

        Select(self.find(name)).select_by_value(value)
        self.settle()

    def place(self, side: int, index: int) -> tuple[float, float]:
        """Where a keypoint is on the canvas."""
        x, y = self.run(
            "const s = app.sides[arguments[0]], p = app.view.screen(s.x(arguments[1]), s.y(arguments[1]));"
            "return [p.x, p.y]",
            side,
            index,
        )
        return x, y

    def point(self, x: float, y: float, *, click: bool = False) -> None:
        """Move the mouse to a place of the canvas."""
        from selenium.webdriver import ActionChains

        canvas = self.find("view")
        actions = ActionChains(self.driver, duration=0)
        actions.move_to_element_with_offset(
            canvas, round(x - canvas.size["width"] / 2), round(y - canvas.size["height"] / 2)
        )
        (actions.click() if click else actions).perform()
        self.settle()

    def pixel(self, x: float, y: float) -> list[int]:
        """The colour of the canvas at a place."""
        found: list[int] = self.run(
            "app.view.frame(); const c = document.getElementById('view').getContext('2d');"
            "return Array.from(c.getImageData(arguments[0], arguments[1], 1, 1).data).slice(0, 3)",
            round(x),
            round(y),
        )
        return found

    def around(self, x: float, y: float) -> np.ndarray:
        """The colours of the nine pixels around a place, (9, 3): a thin line has its colour in some of them."""
        return np.array([self.pixel(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)])

    def complaints(self) -> list[str]:
        """What the page has written to the console."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def page(driver: Any) -> Page:
    """A page in the browser, nothing opened yet."""
    driver.set_window_size(1200, 900)
    return Page(driver)


@pytest.fixture
def show(page: Page, tmp_path: Path) -> Callable[[str], Page]:
    """Show an HTML document from a file, as a user opens it."""

    def open_text(text: str) -> Page:
        (tmp_path / "view.html").write_text(text, encoding="utf-8")
        page.open(tmp_path / "view.html")
        return page

    return open_text
