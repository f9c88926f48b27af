"""The lecture's page of FrozenLake-v1, whole: the same bytes again, and in a real browser.

That is Debian's Chromium, headless, driven by Selenium; without them those tests are skipped.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minipg.commands import lecture

MEASURE = """
const done = arguments[0];
function lum(c) {
  const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => {
    v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4});
  return .2126 * r + .7152 * g + .0722 * b}
function background(e) {
  for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$|transparent/.test(c)) return c}
  return 'rgb(255, 255, 255)'}
function contrast(e) {
  const s = getComputedStyle(e), svg = e.namespaceURI.endsWith('svg');
  const a = lum(svg ? s.fill : s.color), b = lum(background(e));
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05)}
document.querySelectorAll('details').forEach(d => d.open = true);
document.fonts.load('16px M').then(() => document.fonts.ready).then(() => {
  const all = q => [...document.querySelectorAll(q)], root = document.documentElement;
  const seen = e => e.checkVisibility() && e.getBoundingClientRect().width > 0;
  const texts = all('body *').filter(e => seen(e) && !e.closest('annotation')
    && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()));
  done({
    overflow: root.scrollWidth - root.clientWidth,
    cut: all('.box').filter(e => seen(e) && e.scrollWidth > e.clientWidth + 1
      && !['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).map(e => e.ariaLabel),
    wide: all('.box').filter(e => seen(e) && e.scrollWidth > root.clientWidth)
      .map(e => e.ariaLabel),
    texts: texts.length, labels: texts.filter(e => e.namespaceURI.endsWith('svg')).length,
    math: all('math').length,
    flat: all('math').filter(e => seen(e) && e.getBoundingClientRect().height < 12).length,
    fonts: [...document.fonts].map(f => f.status),
    pale: texts.filter(e => contrast(e) < 4.5).map(e => e.outerHTML.slice(0, 80)),
    requested: performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:'))
      .map(r => r.name),
    frames: all('.f').filter(seen).length, allFrames: all('.f').length,
    braces: all('mo').filter(e => e.textContent == '{' && seen(e)
      && e.getBoundingClientRect().height > 30).length,
  })})"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page's path."""
    folder = tmp_path_factory.mktemp("page")
    assert lecture.main(["--out", str(folder)]) == 0
    return folder / "lecture.html"


def test_another_process_makes_the_same_bytes(site, tmp_path):
    words = [sys.executable, "-m", "minipg", "lecture", "--out", str(tmp_path)]
    done = subprocess.run(words, env=os.environ | {"PYTHONHASHSEED": "7"}, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    again = Path(tmp_path / "lecture.html").read_bytes()
    assert again == site.read_bytes()
    assert len(again) <= 1.5e6


@pytest.fixture(scope="module")
def browser():
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    driver = shutil.which("chromedriver")
    if driver is None:
        pytest.skip("no chromedriver here")
    options = selenium.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    yield opened
    opened.quit()


def measured(browser, site, width, media="", scheme="light"):
    """What MEASURE says at this width, and the messages on the console."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    look = {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", look)
    browser.get(f"file://{site}")
    return browser.execute_async_script(MEASURE), browser.get_log("browser")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 820, 1280])
def test_the_page_at_every_width_in_both_schemes(browser, site, width, scheme):
    found, messages = measured(browser, site, width, scheme=scheme)
    assert found["overflow"] <= 0
    assert found["cut"] == []
    assert found["math"] > 48
    assert found["flat"] == 0
    assert found["fonts"] == ["loaded"]
    assert found["pale"] == []
    assert found["texts"] > 5000
    assert found["labels"] > 200
    assert found["requested"] == []
    assert found["frames"] == 3  # of λ, of the step, of σ: one each
    assert found["braces"] >= 1  # a brace that stretches needs the font
    assert messages == []


def test_the_page_on_paper(browser, site):
    """A4 less its margins, in CSS pixels: nothing is wider, all frames are printed."""
    found, messages = measured(browser, site, 718, media="print")
    assert found["overflow"] <= 0
    assert found["wide"] == []
    assert found["flat"] == 0
    assert found["pale"] == []
    assert found["frames"] == found["allFrames"] == 8
    assert messages == []


def test_a_frame_is_chosen_and_terms_light_up_together(browser, site):
    measured(browser, site, 1280)
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    card = browser.find_element(By.ID, "E24")
    shown = card.find_elements(By.CSS_SELECTOR, ".f")
    assert [frame.is_displayed() for frame in shown] == [False, True, False]
    card.find_elements(By.CSS_SELECTOR, "input")[2].click()
    assert [frame.is_displayed() for frame in shown] == [False, False, True]
    word = card.find_element(By.CSS_SELECTOR, "pre .t1")
    term = card.find_element(By.CSS_SELECTOR, "math .t1")
    before = term.value_of_css_property("background-color")
    ActionChains(browser).move_to_element(word).perform()
    assert term.value_of_css_property("background-color") != before
    other = browser.find_element(By.CSS_SELECTOR, "#E43 math .t1")
    assert other.value_of_css_property("background-color") == before
