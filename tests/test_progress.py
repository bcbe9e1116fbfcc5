"""progress.py on a real pseudo-terminal, as a person sees it, and where there is none."""

import os
import subprocess
import sys

import pytest

from conftest import ROOT, write_data

DEMO = """
import os, signal, sys, time
from pyimagesearch import progress
progress.DELAY = 0
progress.say("  what " + "is long " * 30 + "ends")
for number in progress.track(range(4), "predicting"):
    time.sleep(0.05)
    print(f"image [{number}]")
    for _ in progress.track([1], "another one"):
        pass
    if number == 2 and "HOLD" in sys.argv:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGKILL)
print("done")
"""
PRINTED = [*(f"image [{number}]" for number in range(4)), "done"]


def screen(columns, command, cwd=ROOT, warm_start=None, **variables):
    """Run a command on a terminal with 24 rows. Returns the lines seen at its end, its status, all that it wrote."""
    pyte = pytest.importorskip("pyte")
    fcntl, pty, struct, termios = map(pytest.importorskip, ("fcntl", "pty", "struct", "termios"))
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment |= {"TERM": "xterm", "LANG": "C.UTF-8"} | variables
    if warm_start:
        process = warm_start(command, cwd, environment, os.ttyname(follower), os.ttyname(follower))
    else:
        command = [sys.executable, *command]
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=follower, stdout=follower, stderr=follower)
    written = os.read(leader, 65536)  # so it has opened the terminal, too
    os.close(follower)
    try:
        while part := os.read(leader, 65536):
            written += part
    except OSError:  # how Linux reports that nobody writes any more
        pass
    shown = pyte.HistoryScreen(columns, 24, history=10_000)
    pyte.ByteStream(shown).feed(written)
    rows = ["".join(row[column].data for column in range(columns)) for row in shown.history.top] + shown.display
    status = process.join() or process.exitcode if warm_start else process.wait()
    return [row.rstrip() for row in rows if row.strip()], status, written.decode()


@pytest.mark.parametrize("columns", [80, 25])
def test_the_bar_stays_below_the_lines_and_leaves_none(columns):
    lines, _, _ = screen(columns, ["-c", DEMO, "HOLD"])
    start = lines.index("image [0]")
    assert all(line.split()[-1] in ("long", "ends", "is", "what") for line in lines[:start])  # wrapped at spaces
    assert lines[start : start + 3] == PRINTED[:3]
    (bar,) = lines[start + 3 :]
    assert bar.startswith("predicting ") and "50%" in bar

    lines, status, _ = screen(columns, ["-c", DEMO])
    assert (lines[lines.index("image [0]") :], status) == (PRINTED, 0)


def test_a_training_on_a_terminal(tmp_path, warm_start):
    write_data(tmp_path / "data", train=240, test=10)
    flags = ["--data-dir", "data", "--any-data", "--epochs", "3", "--batch-size", "20"]
    command = [ROOT / "fashion_mnist.py", *flags]
    lines, status, written = screen(60, command, tmp_path, warm_start, HOME=str(tmp_path))
    assert status == 0, lines
    start = next(number for number, line in enumerate(lines) if line.split() == ["accuracy", "cross-entropy"])
    table = lines[start + 2 : start + 5]
    assert [line.split()[:2] for line in table] == [["epoch", f"{number}/3"] for number in (1, 2, 3)]
    assert lines[start + 5].startswith("validation accuracy: ")
    assert " left" in written and "%" in written and "━" in written  # the bar, while an epoch ran
    words = " ".join(line.strip() for line in lines).partition(" next, ")[0]
    for text in ("changed from the published recipe: epochs 3, batch size 20", "images/feature_maps.png"):
        assert text in words  # wrapped at spaces


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}])
def test_other_terminals(variables):
    lines, status, _ = screen(60, ["-c", DEMO], **variables)
    assert (lines[-5:], status) == (PRINTED, 0)


def test_a_pipe_gets_the_lines_alone():
    command, environment = [sys.executable, "-c", DEMO], os.environ | {"FORCE_COLOR": "1"}
    written = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
    assert written.splitlines()[-5:] == PRINTED and "\x1b" not in written
