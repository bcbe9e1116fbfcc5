"""No setting of the user's matplotlib breaks a figure, changes it, prints a line or starts a program."""

import os
import subprocess
import sys

import pytest

from conftest import ROOT

CODE = """
import sys, numpy as np
from pathlib import Path
from pyimagesearch.figures import evaluation, style
names = ["T-shirt/top", "a$x^$b", "$5", "鞋", "😀", "_c"]
figure = evaluation.confusion_matrix(np.eye(6, dtype=int) * 3, names)
style.save(Path("."), figure=figure)
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
    return (folder / "figure.png").read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "rc, variables",
    [
        (None, {"MPLBACKEND": "Qt4Agg"}),
        (None, {"MPLBACKEND": "nonsense"}),
        (None, {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}),
        ("text.usetex: True\n", {}),
        ("text.color: white\naxes.titlesize: 40\nfigure.dpi: 300\nsavefig.dpi: 30\naxes.grid: True\n", {}),
        ("font.family: No Such Font\n", {}),
        ("no.such.key: 3\naxes.titlesize: enormous\n", {}),
        ("backend: nonsense\n", {}),
        (b"\xff\xfe\x00 not text", {}),
    ],
)
def test_the_figure_is_the_same_whatever_the_settings_are(tmp_path, plain, rc, variables):
    assert draw(tmp_path, rc, **variables) == plain


def test_a_pipe_named_matplotlibrc_is_not_read(tmp_path, plain):
    (tmp_path / "work").mkdir()
    os.mkfifo(tmp_path / "work/matplotlibrc")
    assert draw(tmp_path / "work") == plain


@pytest.mark.parametrize("backend", ["nonsense", "Qt4Agg"])
def test_keras_starts_whatever_the_backend_is(tmp_path, backend):
    code = "from pyimagesearch.cli import libraries\nwith libraries.quiet():\n    import keras"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": backend}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_matplotlibrc_named_by_the_environment_changes_nothing(tmp_path, plain):
    (tmp_path / "rc").write_text("text.usetex: True\nfont.size: 30\n")
    assert draw(tmp_path / "work", MATPLOTLIBRC=str(tmp_path / "rc")) == plain
