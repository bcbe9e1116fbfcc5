"""Write the page to play with: page.html, page.css, network.js, page.js, a network and some images as one HTML file.

The page needs no other file. Its Content-Security-Policy makes the browser load nothing and run no other script, so
what comes from a model file, names and numbers, can only be shown.
"""

import base64
import hashlib
import json
import string
import zlib
from pathlib import Path

import matplotlib
import numpy as np

from pyimagesearch import files
from pyimagesearch.evaluation.metrics import confident_mistakes
from pyimagesearch.model_files.input_format import SCALES, layout

FOLDER = Path(__file__).parent
PARTS = {"style": "page.css", "network": "network.js", "page": "page.js"}
MOST_BYTES = 60_000_000  # of weights, two for each
SAMPLES, MISTAKES, QUIZ = 50, 10, 20  # images
# The images of page.js's experiments, name: (number of the genuine test image, CRC-32 of its pixels).
EXPERIMENTS = {
    "collar": (4162, 4163613697),
    "boot": (28, 4093514244),
    "mirror": (104, 1042134511),
    "sleeves": (77, 579878669),
    "filters": (1, 368027561),
}
# What network.js computes, besides the layers in _describe(); those of UNCHANGED do nothing after training.
RELU = {"kind": "activation", "name": "relu", "slope": 0, "threshold": 0, "largest": None}
ACTIVATIONS = {"linear": [], "softmax": [{"kind": "softmax"}], "relu": [RELU], "relu6": [RELU | {"largest": 6}]}
ACTIVATIONS |= {"leaky_relu": [RELU | {"slope": 0.2}], "elu": [{"kind": "activation", "name": "elu", "alpha": 1}]}
PLAIN = ("exponential", "gelu", "hard_sigmoid", "hard_silu", "mish", "selu", "sigmoid", "silu", "softplus", "softsign")
ACTIVATIONS |= {name: [{"kind": "activation", "name": name}] for name in (*PLAIN, "tanh")}
UNCHANGED = {"Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "ActivityRegularization"}
UNCHANGED |= {f"Random{what}" for what in ("Brightness", "Contrast", "Flip", "Rotation", "Translation", "Zoom")}


class Unknown(Exception):
    """The model has something that network.js does not know; the text names it."""


def write(path, about, model, input_format, images, labels, probabilities, class_names, temperature=1.0):
    """Write the page. Returns None, or a text: why there is none.

    about                   the network, in words
    model, input_format     a Keras model and what it expects in place of an image
    images, labels          uint8 (N, 28, 28, 1) and (N,): test images
    probabilities           float (N, classes), what the model predicts for them
    Raises UserError if the file cannot be written.
    """
    size = 2 * model.count_params()
    if size > MOST_BYTES:
        return f"the weights would take {size / 1e6:,.0f} MB; the page holds at most {MOST_BYTES / 1e6:.0f} MB"
    predicted = probabilities.argmax(axis=1)
    wrong = predicted != labels
    shown = _gallery(labels, probabilities)
    try:
        network = describe(model, input_format)
    except Unknown as unknown:
        return f"the page cannot compute {unknown}"

    def describe_image(number):
        numbers = {"number": number, "label": labels[number], "predicted": predicted[number]}
        return {name: int(value) for name, value in numbers.items()} | {"pixels": _base64(images[number])}

    genuine = {
        name: describe_image(number)
        for name, (number, checksum) in EXPERIMENTS.items()
        if number < len(images) and zlib.crc32(images[number].tobytes()) == checksum
    }
    others = np.setdiff1d(np.arange(len(labels)), shown)
    data = {
        "about": f"{about}; accuracy {1 - wrong.mean():.2%} on {len(labels):,} test images",
        "failures": f"{wrong[shown].sum()} of these {len(shown)}, and on {wrong.mean():.1%} of all {len(labels):,}",
        "classNames": class_names,
        "temperature": temperature,
        "network": network,
        "gallery": [describe_image(number) for number in shown],
        "quiz": [describe_image(number) for number in others[:: max(1, len(others) // QUIZ)][:QUIZ]],
        "genuine": bool(genuine),
        "experiments": {name: one for name, one in genuine.items() if one["predicted"] == one["label"]},
        "colors": [matplotlib.colors.to_hex(color) for color in matplotlib.colormaps["PuOr_r"](range(256))],
    }
    parts = {name: (FOLDER / file).read_text("utf-8") for name, file in PARTS.items()}
    hashes = {f"{name}_hash": _base64(hashlib.sha256(part.encode()).digest()) for name, part in parts.items()}
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")  # no name can end the script element
    template = string.Template((FOLDER / "page.html").read_text("utf-8"))
    files.write_text(path, template.substitute(parts | hashes, data=text))
    return None


def _gallery(labels, probabilities):
    """Return the numbers of the images to choose from, by class: its first images, and the most confident mistakes."""
    classes = probabilities.shape[1]
    first = [np.flatnonzero(labels == k)[: max(1, SAMPLES // classes)] for k in range(classes)]
    numbers = np.unique(np.concatenate([*first, confident_mistakes(probabilities, labels, MISTAKES)]))
    return numbers[np.argsort(labels[numbers], kind="stable")]


def describe(model, input_format):
    """Return the network as network.js takes it, a dict that JSON can hold, with 16-bit weights. Raises Unknown."""
    import keras

    from pyimagesearch.evaluation.layers import calls

    (height, width), channels, first = layout(input_format.shape)
    if first:
        raise Unknown("images with the channels first")
    if input_format.range not in (*SCALES, "standardized-per-image", "unit-norm"):
        raise Unknown(f"pixels {input_format.range}")
    zero, unit = SCALES.get(input_format.range, (0, 1))
    format_ = {"height": height, "width": width, "channels": channels, "zero": zero, "unit": unit}
    format_ |= {name: getattr(input_format, name) for name in ("range", "fit", "outputs", "classes")}
    layers = [{"kind": "input", "inputs": [], "shape": (height, width, channels)}]

    def follow(model, shape, before):
        """Describe the layers of a model; before: number of the layer before it. Returns that of its last layer."""
        found, twin = calls(model, shape)
        places = {id(twin.inputs[0]): before}  # of tensors: the numbers of the layers that compute them
        for operation, tensors, output in found:
            inputs = [places[id(tensor)] for tensor in tensors]
            if isinstance(operation, keras.Model):
                inputs = [follow(operation, tensors[0].shape[1:], *inputs)]
            else:
                for one in _describe(operation, [tensor.shape[1:] for tensor in tensors], output.shape[1:]):
                    layers.append({"inputs": inputs, "shape": output.shape[1:]} | one)
                    inputs = [len(layers) - 1]
            places[id(output)] = inputs[0]
        return places[id(twin.outputs[0])]

    return {"output": follow(model, input_format.shape, 0), "layers": layers, "format": format_}


def _describe(layer, inputs, output):
    """Return a Keras layer as network.js takes it, a list of dicts. inputs, output: the shapes for one image."""
    from keras import layers as known

    if not isinstance(layer, known.Layer):
        raise Unknown(f"the operation {type(layer).__name__}")
    last = len(inputs[0])  # the axis of the channels
    if getattr(layer, "data_format", None) != "channels_first":
        match layer:
            case known.Conv2D(groups=1, dilation_rate=(1, 1)):
                window = _window(layer, layer.kernel_size, inputs[0], output)
                return [_weights(layer, "convolution") | window, *_activation(layer.activation, output)]
            case known.Dense():
                return [_weights(layer, "dense"), *_activation(layer.activation, output)]
            case known.MaxPooling2D() | known.AveragePooling2D():
                name = "maximum" if isinstance(layer, known.MaxPooling2D) else "average"
                return [{"kind": "pooling", "name": name} | _window(layer, layer.pool_size, inputs[0], output)]
            case known.GlobalMaxPooling2D() | known.GlobalAveragePooling2D():
                name = "maximum" if isinstance(layer, known.GlobalMaxPooling2D) else "average"
                window = {"size": inputs[0][:2], "strides": (1, 1), "padding": (0, 0)}
                return [{"kind": "pooling", "name": name, "shape": (1, 1, output[-1])} | window, {"kind": "reshape"}]
            case known.BatchNormalization(axis=axis) if axis in (-1, last):
                scale = 1 / np.sqrt(_array(layer.moving_variance) + layer.epsilon)
                scale = scale * _array(layer.gamma) if layer.scale else scale
                shift = (_array(layer.beta) if layer.center else 0) - _array(layer.moving_mean) * scale
                return [
                    {"kind": "scaling", "name": "batch normalization", "scale": _pack(scale), "shift": _pack(shift)}
                ]
            case known.Rescaling():
                scale, shift = (np.full(output[-1], value) for value in (layer.scale, layer.offset))
                return [{"kind": "scaling", "name": "rescaling", "scale": _pack(scale), "shift": _pack(shift)}]
            case known.Activation():
                return _activation(layer.activation, output)
            case known.ReLU(negative_slope=slope, threshold=threshold, max_value=largest):
                return [RELU | {"slope": float(slope), "threshold": float(threshold), "largest": largest}]
            case known.LeakyReLU(negative_slope=slope):
                return [RELU | {"slope": float(slope)}]
            case known.Softmax(axis=-1):
                return [{"kind": "softmax"}]
            case known.Add():
                return [{"kind": "add"}]
            case known.Concatenate(axis=axis) if axis in (-1, last):
                return [{"kind": "concatenate"}]
            case known.Flatten() | known.Reshape():
                return [{"kind": "reshape"}]
        if type(layer).__name__ in UNCHANGED:
            return []
    raise Unknown(f"this layer {type(layer).__name__}")


def _activation(activation, shape):
    import keras

    if isinstance(activation, keras.layers.Layer):
        return _describe(activation, [shape], shape)
    if activation.__name__ not in ACTIVATIONS:
        raise Unknown(f"the activation {activation.__name__}")
    return ACTIVATIONS[activation.__name__]


def _window(layer, size, before, after):
    """Return size, strides and padding (above and left of the image) of a window that slides over an image."""
    sizes = zip(size, layer.strides, before[:2], after[:2], strict=True)
    needed = [max(0, (places - 1) * stride + side - length) for side, stride, length, places in sizes]
    padding = [one // 2 if layer.padding == "same" else 0 for one in needed]
    return {"size": size, "strides": layer.strides, "padding": padding}


def _weights(layer, kind):
    return {"kind": kind, "kernel": _pack(layer.kernel), "bias": _pack(layer.bias) if layer.use_bias else None}


def _array(variable):
    import keras

    return keras.ops.convert_to_numpy(variable).astype("float32")


def _pack(variable):
    """Return numbers in base64: a kernel as 16-bit floats, and what to multiply them by; a vector as 32-bit floats."""
    numbers = _array(variable)
    if numbers.ndim == 1:
        return {"numbers": _base64(numbers.astype("<f4"))}
    largest = float(abs(numbers).max()) or 1.0
    return {"numbers": _base64((numbers / largest).astype("<f2")), "largest": largest}


def _base64(array):
    return base64.b64encode(bytes(array)).decode()
