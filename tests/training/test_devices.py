"""devices.py: one process or two, one device or two, the same weights; and no process is left waiting."""

import os
import signal
import socket
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from conftest import ROOT

needs_jax = pytest.mark.needs("jax")


def arrays(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def start(folder, data, *arguments, process=0, processes=1, port=0, **variables):
    """Start fashion_mnist.py on JAX in `folder`, as one of `processes`."""
    (folder / "home").mkdir(parents=True, exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "KERAS_BACKEND": "jax", **variables}
    environment["JAX_PLATFORMS"] = "cpu"
    if processes > 1:
        environment["KERAS_DISTRIBUTION_JOB_ADDRESSES"] = f"localhost:{port}"
        environment["KERAS_DISTRIBUTION_NUM_PROCESSES"] = str(processes)
        environment["KERAS_DISTRIBUTION_PROCESS_ID"] = str(process)
    command = [sys.executable, ROOT / "fashion_mnist.py", "--data-dir", data, "--any-data", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(list(map(str, command)), cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def free_port():
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        return unused.getsockname()[1]


def start_two(folder, data, *arguments):
    port = free_port()
    return [start(folder, data, *arguments, process=k, processes=2, port=port) for k in (0, 1)]


@needs_jax
def test_two_processes_or_two_devices_train_the_weights_of_one(small_data, tmp_path):
    short = ("--limit", 300, "--epochs", 1, "--batch-size", 50, "--learning-rate", 0.01)
    one = start(tmp_path / "one", small_data, *short)
    devices = start(tmp_path / "devices", small_data, *short, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    first, second = start_two(tmp_path / "two", small_data, *short)
    ended = {}
    for name, process in (("one", one), ("devices", devices), ("first", first), ("second", second)):
        out, error = process.communicate(timeout=600)
        assert (process.returncode, error) == (0, ""), name
        ended[name] = out
    assert "on 1 x CPU with JAX" in ended["one"]
    assert "on 2 x CPU with JAX" in ended["devices"]
    assert "on 2 x CPU with JAX" in ended["first"]
    assert ended["second"] == ""
    expected = arrays(tmp_path / "one/fashion_model.h5")
    for other in ("devices", "two"):
        found = arrays(tmp_path / other / "fashion_model.h5")
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            # Sums are taken in another order, which training magnifies: hence 1%.
            assert np.linalg.norm(found[name] - array) < 0.01 * np.linalg.norm(array) + 1e-3, (other, name)


@needs_jax
@pytest.mark.parametrize("victim", [0, 1])
def test_when_one_process_is_killed_the_other_ends_too(small_data, tmp_path, victim):
    processes = start_two(tmp_path / "two", small_data, "--limit", 300, "--epochs", 10_000, "--batch-size", 50)
    for line in processes[0].stdout:  # lines stop here once the first epoch is done
        if line.startswith("epoch 1/"):
            break
    processes[victim].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    other = processes[1 - victim]
    _, error = other.communicate(timeout=120)
    assert time.monotonic() - killed < 60
    assert other.returncode != 0
    processes[victim].communicate(timeout=60)
    assert [path.name for path in (tmp_path / "two").glob(".fashion_model.h5.training/epoch-*")]  # to go on from


@needs_jax
def test_an_error_in_one_process_ends_both(small_data, tmp_path):
    errors = []
    for process in start_two(tmp_path / "two", small_data, "--batch-size", 51):
        errors.append(process.communicate(timeout=600)[1])
        assert process.returncode != 0
    assert any("2 devices cannot share batches of 51" in error for error in errors)


@pytest.mark.parametrize(
    ("backend", "variables", "word"),
    [
        ("tensorflow", {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}, "KERAS_BACKEND=jax"),
        pytest.param("jax", {"KERAS_DISTRIBUTION_PROCESS_ID": "one"}, "_PROCESS_ID is wrong", marks=needs_jax),
        pytest.param("jax", {"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}, "_PROCESS_ID is wrong", marks=needs_jax),
    ],
)
def test_wrong_variables_are_named(run, small_data, backend, variables, word):
    done = run("fashion_mnist.py", "--data-dir", small_data, "--any-data", check=1, KERAS_BACKEND=backend, **variables)
    assert word in done.stderr
    assert len(done.stderr.splitlines()) == 1
