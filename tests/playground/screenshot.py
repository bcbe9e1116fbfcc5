"""Make README's picture of the page: a stroke on an image, and the prediction before and after.

python tests/playground/screenshot.py images/playground.html images/readme/playground.png
(needs selenium, chromium and chromedriver)
"""

import shutil
import sys
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

ACT = """
open(data.gallery.find(({ number }) => number === 3)); // trousers; the gap between the legs is closed
choose("3x3");
for (const column of [13, 14]) for (let row = 6; row < 28; row++) strokeAt([row, column]);
Object.assign(byId("work").style, { display: "grid", gridTemplateColumns: "320px 1fr", padding: "8px" });
for (const one of document.querySelectorAll("#work section")) one.style.margin = 0;
for (const one of document.querySelectorAll("header, footer, #experiments, #rest, #tools")) one.style.display = "none";
"""

options = ChromeOptions()
options.binary_location = shutil.which("chromium")
for flag in ("headless=new", "no-sandbox", "hide-scrollbars", "force-device-scale-factor=1.5", "window-size=640,1000"):
    options.add_argument(f"--{flag}")
with Chrome(options=options, service=ChromeService(shutil.which("chromedriver"))) as browser:
    browser.get(Path(sys.argv[1]).resolve().as_uri())
    for act in (ACT, "// what the act has changed is drawn"):
        browser.execute_async_script(
            f"""const [done] = arguments, ready = () => selected && before && !jobs.running;
            const act = () => {{ {act}
            }};
            const wait = () => (ready() ? (act(), setTimeout(done, 300)) : setTimeout(wait, 20));
            wait();"""
        )
    browser.find_element("id", "work").screenshot(sys.argv[2])
