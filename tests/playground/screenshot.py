"""Make README's picture of the page: an image and its prediction, and beside it both after a stroke.

python tests/playground/screenshot.py images/playground.html images/readme/playground.png
(needs selenium, chromium and chromedriver)
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

OPEN = """
open(data.gallery.find(({ number }) => number === 3)); // trousers; the stroke closes the gap between the legs
byId("ticks").textContent = "black ticks: before the stroke";
byId("bars-title").style.minHeight = "2lh"; // so that both halves have the same height
for (const one of document.querySelectorAll("h2 > span")) one.style.display = "block";
Object.assign(byId("work").style, { width: "280px", padding: "8px 12px" });
canvas.style.width = "100%";
for (const one of document.querySelectorAll("#work section")) one.style.margin = 0;
for (const one of document.querySelectorAll("header, footer, #experiments, #rest, #tools")) one.style.display = "none";
"""
STROKE = """
choose("3x3");
for (const column of [13, 14]) for (let row = 6; row < 28; row++) strokeAt([row, column]);
"""

options = ChromeOptions()
options.binary_location = shutil.which("chromium")
for flag in ("headless=new", "no-sandbox", "hide-scrollbars", "force-device-scale-factor=1.4", "window-size=640,1000"):
    options.add_argument(f"--{flag}")
with Chrome(options=options, service=ChromeService(shutil.which("chromedriver"))) as browser:
    browser.get(Path(sys.argv[1]).resolve().as_uri())
    shots = []
    for act in (OPEN, STROKE):
        browser.execute_async_script(
            f"""const [done] = arguments, settle = (then) => {{
              const wait = () => (selected && before && !jobs.running ? then() : setTimeout(wait, 20));
              wait();
            }};
            settle(() => {{ {act}
              settle(() => setTimeout(done, 300)); // until it is drawn
            }});"""
        )
        shots.append(Image.open(io.BytesIO(browser.find_element("id", "work").screenshot_as_png)).convert("RGB"))
width, height = sum(shot.width for shot in shots), max(shot.height for shot in shots)
both = Image.new("RGB", (width, height), "white")
for shot, left in zip(shots, (0, shots[0].width), strict=True):
    both.paste(shot, (left, 0))
both.save(sys.argv[2], optimize=True)
