"""arguments.py: paths, flags that contradict each other, the commands that the scripts suggest."""

import argparse
import os
import shlex
import sys
from pathlib import Path

import pytest

import fashion_mnist_loaded
from conftest import ROOT
from pyimagesearch.cli.arguments import Parser, as_path, command
from pyimagesearch.errors import UserError


def test_a_suggested_command_carries_the_flags_that_were_given_and_works_as_it_stands(monkeypatch, tmp_path):
    given = {"model": Path("my model.h5"), "data_dir": None, "any_data": True, "images": Path("images")}
    args = argparse.Namespace(**given, limit=3)
    monkeypatch.setattr(sys, "orig_argv", [".venv/bin/python", "elsewhere/fashion_mnist.py"])
    monkeypatch.setattr(sys, "argv", [f"{ROOT}/fashion_mnist.py"])
    words = shlex.split(command("fashion_mnist_loaded.py", args, *given))
    assert words[:2] == [".venv/bin/python", f"{ROOT}/fashion_mnist_loaded.py"]
    assert words[2:] == ["--model", "my model.h5", "--any-data"]
    args.images = Path("figures")
    assert command("x.py", args, "images").endswith(" --images figures")
    monkeypatch.setattr(sys, "argv", ["/usr/lib/ipykernel_launcher.py"])  # a notebook: the script is elsewhere
    assert command("x.py", args) == ".venv/bin/python x.py"


def test_a_tilde_that_the_shell_left_is_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    parser = Parser("")
    parser.add_images_flag()
    args = parser.parse_args(["--images=~/figures"])
    assert args.images == tmp_path / "figures"
    assert args.images.is_dir()
    for wrong in ("", "~no-such-user/x"):
        with pytest.raises(argparse.ArgumentTypeError):
            as_path(wrong)


@pytest.mark.parametrize("flag", ["--json link", "--json names.txt", "--json photo.png", "--images ."])
def test_what_is_read_is_not_written_over(monkeypatch, tmp_path, capsys, flag):
    monkeypatch.chdir(tmp_path)
    for name in ("model.h5", "net.json", "names.txt", "photo.png"):
        (tmp_path / name).write_text("precious")
    os.link(tmp_path / "model.h5", tmp_path / "link")
    images = "." if flag.startswith("--images") else "photo.png"
    given = ["--model", "model.h5", "--architecture", "net.json", "--class-names", "names.txt", "--image", images]
    given += flag.split()
    with pytest.raises(SystemExit) as end:
        fashion_mnist_loaded.parse(given)
    assert end.value.code == 2
    assert f"{flag.split()[1]} is also" in capsys.readouterr().err
    assert (tmp_path / "model.h5").read_text() == "precious"


def test_a_folder_of_photos_is_no_place_for_figures(tmp_path):
    (tmp_path / "plot.png").touch()  # a figure
    assert fashion_mnist_loaded.parse(["--images", str(tmp_path)])
    (tmp_path / "Boots.JPG").touch()
    with pytest.raises(UserError, match="Boots.JPG"):
        fashion_mnist_loaded.parse(["--images", str(tmp_path)])
