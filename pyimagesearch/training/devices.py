"""The device to train on, and Keras's settings there."""

import contextlib
from pathlib import Path

import keras

NAMES = {"jax": "JAX", "tensorflow": "TensorFlow"}


def describe():
    """Return the name of the device that Keras trains on: "NVIDIA H200 with JAX"."""
    backend, note = keras.backend.backend(), ""
    kind = keras.distribution.list_devices()[0].split(":")[0].upper()
    if backend == "jax" and kind != "CPU":
        import jax

        kind = jax.devices()[0].device_kind
    elif backend == "tensorflow" and kind == "CPU" and Path("/proc/driver/nvidia/version").exists():
        note = (
            " (there is an NVIDIA GPU that TensorFlow does not use; to train on it, pip install "
            "'tensorflow[and-cuda]', or pip install 'jax[cuda13]' and set KERAS_BACKEND=jax)"
        )
    return f"{kind} with {NAMES[backend]}{note}"


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
    """Return whether bfloat16 is faster than float32 here: accelerators, and CPUs with fast instructions for it.

    Those are AMX, and AVX-512 BF16 on AMD. On an Intel Xeon without AMX, the latter makes `fast` 1.45 times slower.
    """
    if keras.backend.backend() == "jax":
        return not keras.distribution.list_devices()[0].lower().startswith("cpu")
    try:
        instructions = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:  # not Linux
        return False
    return "amx_bf16" in instructions or {"avx512_bf16", "AuthenticAMD"} <= instructions
