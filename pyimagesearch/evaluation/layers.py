"""What a network is made of, layer by layer, and what it computes from one image."""

import math

import keras
from keras import layers


def layer_table(model):
    """Return a row (layer, output shape, parameters, multiply-adds, receptive field) for the input and each layer.

    Strings, strings and ints, for example ("Conv2D 3x3, 32 filters", "28 x 28 x 32", 288, 225_792, 3). Multiply-adds
    are those of one image, and are counted for Conv2D and Dense; the receptive field is the side of the square of input
    pixels that one output number depends on (Conv2D, MaxPooling2D, Flatten; other layers keep it).
    """
    rows = [("Input", _times(model.input_shape[1:]), 0, 0, 1)]
    field, step = 1, 1  # step: the distance in input pixels between neighboring outputs
    for layer in model.layers:
        if isinstance(layer, layers.InputLayer):
            continue
        name, work = type(layer).__name__, 0
        if isinstance(layer, layers.Conv2D):
            name = f"Conv2D {_x(layer.kernel_size)}, {layer.filters} filters"
            field += (layer.kernel_size[0] - 1) * step
            step *= layer.strides[0]
            work = math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.MaxPooling2D):
            name = f"MaxPooling2D {_x(layer.pool_size)}"
            field += (layer.pool_size[0] - 1) * step
            step *= layer.strides[0]
        elif isinstance(layer, layers.Dense):
            name = f"Dense {layer.units}" + (", softmax" if layer.activation is keras.activations.softmax else "")
            work = math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.Flatten | layers.GlobalAveragePooling2D | layers.GlobalMaxPooling2D):
            field = model.input_shape[1]
        rows.append((name, _times(layer.output.shape[1:]), layer.count_params(), work, field))
    return rows


def activations(model, image):
    """Return the feature maps of each convolution for an image, after the normalization and activation behind it.

    image: float32 (28, 28, 1). Returns [(name, float32 (height, width, filters))], [] for a network without.
    """
    maps = []
    for layer in model.layers:
        spatial = len(getattr(layer.output, "shape", ())) == 4
        if spatial and isinstance(layer, layers.Conv2D):
            maps.append(layer.output)
        elif maps and spatial and isinstance(layer, layers.BatchNormalization | layers.ReLU | layers.Activation):
            maps[-1] = layer.output
    if not maps:
        return []
    computed = keras.Model(model.inputs[0], maps)(image[None])
    names = [f"convolution {number + 1}: {_times(output.shape[1:])}" for number, output in enumerate(maps)]
    return [(name, keras.ops.convert_to_numpy(output)[0]) for name, output in zip(names, computed, strict=True)]


def _times(shape):
    return " x ".join(map(str, shape))


def _x(shape):
    return "x".join(map(str, shape))
