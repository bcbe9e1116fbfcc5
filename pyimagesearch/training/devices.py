"""The devices to train on: all that the backend finds in this process and, with JAX, in the others of the training.

Several processes, on one machine or many, are told of each other by Keras's own environment variables. All of them run
the same script on the same data; each trains on its share of every batch, and only the first speaks and writes.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import NamedTuple

import keras

from pyimagesearch.errors import UserError
from pyimagesearch.training.processes import OTHERS_ENDED, several_processes

NAMES = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
LOST = re.compile("gloo|nccl|coordination|connection|socket closed", re.IGNORECASE)


def meet():
    """Find the other processes of this training; waits up to five minutes for them.

    Raises UserError if the backend is not JAX or the environment variables are wrong.
    """
    if keras.backend.backend() != "jax":
        raise UserError("a training in several processes needs the JAX backend: set KERAS_BACKEND=jax")
    os.environ.setdefault("JAX_CPU_COLLECTIVES_IMPLEMENTATION", "gloo")
    try:
        keras.distribution.initialize()
    except (ValueError, TypeError) as error:
        raise UserError(f"KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES or _PROCESS_ID is wrong: {error}") from error


def use_all():
    """Spread the training over all devices of all processes. Returns what they are: "2 x NVIDIA H200 with JAX"."""
    backend, found = keras.backend.backend(), keras.distribution.list_devices()
    kind, note = found[0].split(":")[0].upper(), ""
    if backend == "jax":
        import jax

        kind = kind if kind == "CPU" else jax.devices()[0].device_kind
        if len(found) > 1:
            # Batches hands each process its share already.
            keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    elif len(found) > 1:
        note = f" (of {len(found)}; the JAX backend uses all: KERAS_BACKEND=jax)"
        found = found[:1]
    return f"{len(found)} x {kind} with {NAMES.get(backend, backend)}{note}"


class Spread(NamedTuple):
    """What a batch is spread over: this process's number, the number of processes, that of devices in all of them."""

    process: int = 0
    processes: int = 1
    devices: int = 1


def spread():
    """Return the Spread of the training that this process takes part in."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return Spread()
    import jax

    return Spread(jax.process_index(), jax.process_count(), distribution.device_mesh.devices.size)


def accelerated():
    """Return whether the backend is JAX on something faster than a CPU."""
    return keras.backend.backend() == "jax" and not keras.distribution.list_devices()[0].lower().startswith("cpu")


def fast_bfloat16():
    """Return whether bfloat16 is faster than float32 here: accelerators, and CPUs that have instructions for it."""
    if keras.backend.backend() != "tensorflow":
        return accelerated()
    try:
        instructions = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:  # not Linux
        return False
    return bool(instructions & {"avx512_bf16", "amx_bf16"})


def part_ways():
    """End the spreading: what follows runs in this process, on one device."""
    keras.distribution.set_distribution(None)


@contextlib.contextmanager
def together():
    """Turn the error that the backend raises when another process of the training has ended into a UserError."""
    try:
        yield
    except Exception as error:
        if not several_processes() or isinstance(error, UserError) or not LOST.search(str(error)):
            raise
        raise UserError(OTHERS_ENDED) from error
