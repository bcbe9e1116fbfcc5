"""The devices to train on: all that the backend finds in this process and, with JAX, in the others of the training.

Several processes, on one machine or many, learn of each other from Keras's own environment variables. All of them run
the same script on the same data; each trains on its share of every batch, and the first alone prints and writes.
"""

import contextlib
import os
from pathlib import Path

import keras

from pyimagesearch.data.batches import Share
from pyimagesearch.errors import UserError
from pyimagesearch.training.processes import OTHERS_ENDED, several_processes

NAMES = {"jax": "JAX", "tensorflow": "TensorFlow"}
OUT_OF_MEMORY = (
    "not enough memory: a training needs about 1 GB, of the GPU where it uses one; close other programs, or try a "
    "smaller --batch-size"
)


def meet():
    """Wait, up to five minutes, for the other processes of this training.

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
    """Let the next training use all devices of all processes. Returns their names: "2 x NVIDIA H200 with JAX"."""
    backend = keras.backend.backend()
    if backend not in NAMES:
        raise UserError(f"this process runs Keras on {backend}, and training needs TensorFlow or JAX; start another")
    available = keras.distribution.list_devices()
    kind, note = available[0].split(":")[0].upper(), ""
    if backend == "jax":
        import jax

        kind = kind if kind == "CPU" else jax.devices()[0].device_kind
        if len(available) > 1:
            # Batches gives each process its share already.
            keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    elif kind == "CPU" and Path("/proc/driver/nvidia/version").exists():
        note = (
            " (there is an NVIDIA GPU that TensorFlow does not use; to train on it, pip install "
            "'tensorflow[and-cuda]', or pip install 'jax[cuda13]' and set KERAS_BACKEND=jax)"
        )
    elif len(available) > 1:
        note = f" (of {len(available)}; the JAX backend uses all: KERAS_BACKEND=jax)"
        available = available[:1]
    return f"{len(available)} x {kind} with {NAMES[backend]}{note}"


def share(batch_size):
    """Return the Share of each batch that this process trains on. Raises UserError if it is no whole number."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return Share()
    import jax

    number = distribution.device_mesh.devices.size
    if batch_size % number:
        raise UserError(f"{number} devices cannot share batches of {batch_size} equally: choose another --batch-size")
    return Share(jax.process_index(), jax.process_count(), number)


@contextlib.contextmanager
def alone():
    """Inside this block, what is built and computed stays in this process, on one device."""
    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def stop_sharing():
    """End the distribution: what follows runs in this process, on one device."""
    keras.distribution.set_distribution(None)


@contextlib.contextmanager
def default_settings(policy="float32"):
    """Inside this block, Keras's settings are its defaults, with this dtype policy, whatever the caller has set."""
    defaults = {
        "floatx": "float32",
        "dtype_policy": policy,
        "epsilon": 1e-7,
        "image_data_format": "channels_last",
        "max_epochs": None,
        "max_steps_per_epoch": None,
    }
    before = {name: getattr(keras.config, name)() for name in defaults}
    try:
        for name, value in defaults.items():
            getattr(keras.config, f"set_{name}")(value)
        yield
    finally:
        for name, value in before.items():
            getattr(keras.config, f"set_{name}")(value)


def fast_bfloat16():
    """Return whether bfloat16 is faster than float32 here: accelerators, and CPUs with instructions for it."""
    if keras.backend.backend() == "jax":
        return _accelerated()
    try:
        instructions = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:  # not Linux
        return False
    return bool(instructions & {"avx512_bf16", "amx_bf16"})


def steps_per_execution():
    """Return how many steps to launch at a time: an accelerator is done with one before Python has the next ready."""
    return 8 if _accelerated() else 1


def _accelerated():
    """Return whether the backend is JAX on something faster than a CPU."""
    return keras.backend.backend() == "jax" and not keras.distribution.list_devices()[0].lower().startswith("cpu")


@contextlib.contextmanager
def explained():
    """Turn an error of TensorFlow or JAX that the user can do something about into a UserError."""
    try:
        yield
    except Exception as error:
        if out_of_memory(error):
            raise UserError(OUT_OF_MEMORY) from error
        if several_processes() and isinstance(error, RuntimeError):  # what JAX raises when it has lost another process
            raise UserError(OTHERS_ENDED) from error
        raise


def out_of_memory(error):
    """Return whether an exception, of Python, TensorFlow or JAX, says that the memory did not suffice."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return isinstance(error, MemoryError | tf.errors.ResourceExhaustedError)
    # JAX raises one class for everything; its text starts with the name of the status.
    return isinstance(error, MemoryError) or str(error).startswith("RESOURCE_EXHAUSTED")
