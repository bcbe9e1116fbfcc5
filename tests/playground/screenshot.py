"""Make README's picture of the page, with the first experiment done (needs selenium, chromium and chromedriver).

python tests/playground/screenshot.py images/playground.html images/readme/playground.png
"""

import shutil
import sys
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

options = ChromeOptions()
options.binary_location = shutil.which("chromium")
for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=1400,1620"):
    options.add_argument(flag)
with Chrome(options=options, service=ChromeService(shutil.which("chromedriver"))) as browser:
    browser.get(Path(sys.argv[1]).resolve().as_uri())
    acts = [f"byId('{place}').querySelector('button').click()" for place in ("cards", "question")]
    for act in (*acts, "selected = brightest(stages[0]), showLayers()"):
        browser.execute_async_script(
            f"""const ready = () => selected && before && !jobs.running;
            const wait = () => (ready() ? ({act}, setTimeout(arguments[0], 100)) : setTimeout(wait, 20));
            wait();"""
        )
    browser.save_screenshot(sys.argv[2])
