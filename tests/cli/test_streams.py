"""Standard streams as they are: closed, full, replaced by a caller's, and names that they cannot show."""

import subprocess
import sys

import pytest

from conftest import ROOT

SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1]); del sys.argv[1]
from pyimagesearch.cli import libraries
from pyimagesearch.cli.run import run
def main(arguments):
    print("a line", arguments)
    with libraries.quiet():
        import keras
    with open("done", "w") as file:
        file.write("yes")
    print("another line")
{change}
run(main)
"""
LOGGERS = """
class Logger:
    def __init__(self, stream): self.write, self.flush = stream.write, stream.flush
sys.stdout, sys.stderr = Logger(sys.stdout), Logger(sys.stderr)
"""


def script(folder, redirection="", change="", libraries=""):
    """Run SCRIPT by a shell, with empty modules in place of the real libraries if they are named."""
    for name in libraries.split():
        (folder / f"{name}.py").touch()
    (folder / "script.py").write_text(SCRIPT.format(change=change))
    command = f"'{sys.executable}' script.py '{ROOT}' {redirection}"
    return subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    "redirection, change, words",
    [
        (">&- 2>&-", "", ""),
        ("", LOGGERS, "a line []\nanother line\n"),
        ("", "sys.stdout = sys.stderr = None", ""),
        ("'\udcff'".encode("utf-8", "surrogateescape").decode("latin-1"), "", None),
    ],
)
def test_a_run_goes_on_whatever_the_streams_are(tmp_path, redirection, change, words):
    done = script(tmp_path, redirection, change, "keras tensorflow")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "done").read_text() == "yes"
    assert words is None or done.stdout == words


def test_the_real_libraries_start_without_streams(tmp_path):
    done = script(tmp_path, "<&- >&- 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "done").read_text() == "yes"


def test_output_that_cannot_be_written_is_a_sentence(tmp_path):
    done = script(tmp_path, "> /dev/full", libraries="keras tensorflow")
    words = "script.py: cannot write the output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, words)


def test_a_reader_that_has_gone_is_no_error(tmp_path):
    done = script(tmp_path, "| true", libraries="keras tensorflow")
    assert done.stderr == ""
