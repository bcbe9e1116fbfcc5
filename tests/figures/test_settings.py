"""No setting of the user's matplotlib breaks a figure, changes it, prints a line or starts a program."""

import os
import subprocess
import sys

import pytest

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
    network=network.diagram([("Input", "28 x 28 x 1", 0), ("Dense $x^$", "10", 5)]),
)
"""


def draw(folder, rc=None, **variables):
    folder.mkdir(exist_ok=True)
    if rc is not None:
        (folder / "matplotlibrc").write_bytes(rc if isinstance(rc, bytes) else rc.encode())
    (folder / "bin").mkdir()
    (folder / "bin/latex").write_text("#!/bin/sh\ntouch started\nexit 1\n")
    (folder / "bin/latex").chmod(0o755)
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=folder, env=environment | variables, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (folder / "started").exists()
    return (folder / "figure.png").read_bytes(), (folder / "network.png").read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "rc, variables",
    [
        (None, {"MPLBACKEND": "Qt4Agg"}),
        (None, {"MPLBACKEND": "module://no.such.module"}),
        (None, {"MPLBACKEND": "nonsense"}),
        (None, {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}),
        ("text.usetex: True\n", {}),
        ("text.color: white\naxes.titlesize: 40\nfigure.dpi: 300\nsavefig.dpi: 30\naxes.grid: True\n", {}),
        ("font.family: No Such Font\n", {}),
        ("no.such.key: 3\naxes.titlesize: enormous\n", {}),
        ("backend: nonsense\n", {}),
        ("# Größe\nfont.size: 30\n", {}),  # not UTF-8: matplotlib itself cannot be imported with it
        (b"\xff\xfe\x00 not text", {}),
    ],
)
def test_the_figure_is_the_same_whatever_the_settings_are(tmp_path, plain, rc, variables):
    assert draw(tmp_path, rc, **variables) == plain


def test_a_pipe_named_matplotlibrc_is_not_read(tmp_path, plain):
    (tmp_path / "work").mkdir()
    os.mkfifo(tmp_path / "work/matplotlibrc")
    assert draw(tmp_path / "work") == plain


def test_a_matplotlibrc_named_by_the_environment_changes_nothing(tmp_path, plain):
    (tmp_path / "rc").write_text("text.usetex: True\nfont.size: 30\n")
    assert draw(tmp_path / "work", MATPLOTLIBRC=str(tmp_path / "rc")) == plain


def test_a_matplotlibrc_in_the_home_changes_nothing(tmp_path, plain):
    (tmp_path / "work/.config/matplotlib").mkdir(parents=True)
    (tmp_path / "work/.config/matplotlib/matplotlibrc").write_text("text.usetex: True\nfont.family: No Such Font\n")
    assert draw(tmp_path / "work") == plain


@pytest.mark.parametrize(
    "backend", ["nonsense", "Qt4Agg", "module://no.such.module", "module://matplotlib_inline.backend_inline"]
)
def test_keras_starts_whatever_the_backend_is(run, tmp_path, backend):
    (tmp_path / "start.py").write_text(
        "from pyimagesearch.cli import libraries\n"
        "with libraries.quiet():\n"
        "    import keras\n"
        "import os\n"
        "print(os.environ['MPLBACKEND'])\n"
    )
    done = run(tmp_path / "start.py", check=0, MPLBACKEND=backend, PYTHONPATH=str(ROOT))
    assert (done.stdout, done.stderr) == (f"{backend}\n", "")


def test_a_notebook_keeps_its_settings():
    code = (
        "import matplotlib\n"
        "matplotlib.rcParams['font.size'] = 17\n"
        "import numpy as np\n"
        "from pyimagesearch.figures import network\n"
        "network.diagram([('Input', '784', 0)])._repr_png_()\n"
        "import matplotlib.pyplot\n"
        "print(matplotlib.rcParams['font.size'], matplotlib.get_backend())\n"
        "import logging; print(logging.getLogger('matplotlib').level)\n"
    )
    environment = {**os.environ, "MPLBACKEND": "svg", "PYTHONPATH": str(ROOT)}
    for early in ("", "from pyimagesearch import figures\n"):
        done = subprocess.run([sys.executable, "-c", early + code], env=environment, capture_output=True, text=True)
        assert (done.stdout, done.stderr) == ("17.0 svg\n0\n", "")
