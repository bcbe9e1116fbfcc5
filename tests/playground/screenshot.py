"""Make README's picture of the page: a stroke on an image, the prediction, and what one number of a map is made of.

python tests/playground/screenshot.py images/playground.html images/readme/playground.png
(needs selenium, chromium and chromedriver)
"""

import shutil
import sys
from pathlib import Path

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

ACTS = """
open(data.gallery.find(({ number }) => number === 3)); // trousers; the gap between the legs is closed
choose("3x3");
for (const column of [13, 14]) for (let row = 6; row < 28; row++) strokeAt([row, column]);
byId("rest").before(byId("explanation"));
Object.assign(byId("explanation").style, { gridRow: "1 / 3", alignSelf: "start" });
document.querySelector("main").style.padding = "8px";
const hidden = "header, footer, #experiments, #rest, #tools [role=group], #to-maps";
for (const one of document.querySelectorAll(hidden)) one.style.display = "none";
"""
NUMBER = """
const [stage] = stages, numbers = mapOf(stage, 7), most = numbers.indexOf(Math.max(...numbers)); // vertical edges
pin({ stage, map: 7, row: Math.floor(most / stage.width), column: most % stage.width });
"""

options = ChromeOptions()
options.binary_location = shutil.which("chromium")
for flag in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--window-size=900,1000"):
    options.add_argument(flag)
with Chrome(options=options, service=ChromeService(shutil.which("chromedriver"))) as browser:
    browser.get(Path(sys.argv[1]).resolve().as_uri())
    for act in (ACTS, NUMBER):
        browser.execute_async_script(
            f"""const [done] = arguments, ready = () => selected && before && !jobs.running;
            const act = () => {{ {act} }};
            const wait = () => (ready() ? (act(), setTimeout(done, 300)) : setTimeout(wait, 20));
            wait();"""
        )
    browser.find_element("css selector", "main").screenshot(sys.argv[2])
