"""No setting of the user's matplotlib breaks a figure, changes it, prints a line or starts a program."""

import os
import subprocess
import sys

from conftest import ROOT

CODE = r"""
import sys, numpy as np
from pathlib import Path
from pyimagesearch.figures import evaluation, network, style
assert "matplotlib.pyplot" not in sys.modules and "keras" not in sys.modules
names = ["T-shirt/top", "a$x^$b", "$5", "\u978b", "\U0001f600", "_c", "\udcff"]
style.save(
    Path("."),
    figure=evaluation.confusion_matrix(np.arange(49).reshape(7, 7), names),
    network=network.diagram([("Input", "28 x 28 x 1", 0, []), ("Dense $x^$", "10", 5, [0])]),
)
"""


def draw(folder, settings, **variables):
    (folder / "bin").mkdir(parents=True)
    (folder / ".config/matplotlib").mkdir(parents=True)
    (folder / ".config/matplotlib/matplotlibrc").write_text(settings)
    (folder / "bin/latex").write_text("#!/bin/sh\ntouch started\nexit 1\n")
    (folder / "bin/latex").chmod(0o755)
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=folder, env=environment | variables, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (folder / "started").exists()
    return (folder / "figure.png").read_bytes(), (folder / "network.png").read_bytes()


UNUSUAL = (
    "text.usetex: True\ntext.color: white\naxes.titlesize: 40\nfigure.dpi: 300\nsavefig.dpi: 30\naxes.grid: True\n"
    "font.family: No Such Font\nno.such.key: 3\nbackend: nonsense\n"
)


def test_the_figure_is_the_same_whatever_the_settings_are(tmp_path):
    backend = "module://matplotlib_inline.backend_inline"  # a notebook's, in another Python
    assert draw(tmp_path / "own", UNUSUAL, MPLBACKEND=backend) == draw(tmp_path / "plain", "")


def test_a_notebook_keeps_its_settings():
    code = (
        "import matplotlib\n"
        "matplotlib.rcParams['font.size'] = 17\n"
        "import numpy as np\n"
        "from pyimagesearch.figures import network\n"
        "network.diagram([('Input', '784', 0, [])])._repr_png_()\n"
        "import matplotlib.pyplot\n"
        "print(matplotlib.rcParams['font.size'], matplotlib.get_backend())\n"
        "import logging; print(logging.getLogger('matplotlib').level)\n"
    )
    environment = {**os.environ, "MPLBACKEND": "svg", "PYTHONPATH": str(ROOT)}
    for early in ("", "from pyimagesearch import figures\n"):
        done = subprocess.run([sys.executable, "-c", early + code], env=environment, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("17.0 svg\n0\n", "")
