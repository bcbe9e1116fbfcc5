"""MiniVGGNet, the network: blocks of two 3x3 convolutions each, two of them by default, then a dense layer."""

import math

import keras
from keras import layers


class MiniVGGNet:
    """A small network in the manner of VGG (Simonyan and Zisserman, arXiv:1409.1556): 3x3 convolutions, pooling."""

    @staticmethod
    def build(
        width,
        height,
        depth,
        classes,
        dropout=(0.25, 0.25, 0.5),
        normalization=layers.BatchNormalization,
        filters=(32, 64),
        dense=512,
    ):
        """Return an untrained, uncompiled Keras model.

        width, height   of the pictures in pixels; each block halves them, so two blocks need 4 or more
        depth           channels of the pictures: 1 for grey, 3 for colour
        classes         number of classes, 2 or more
        dropout         rates from 0 (off) to below 1, after each block and after the dense layer
        normalization   the class of the batch normalization; training.py has one that is faster on TensorFlow
        filters         of the two convolutions of each block: as many blocks as there are numbers
        dense           width of the dense layer

        Input: (N, height, width, depth), float32 from 0.0 to 1.0. Output: (N, classes), float32 probabilities.
        Raises ValueError for any other argument.
        """
        if not filters:
            raise ValueError("filters must have a number for each block, got none")
        smallest = 2 ** len(filters)
        for name, value, least in (
            ("width", width, smallest),
            ("height", height, smallest),
            ("depth", depth, 1),
            ("classes", classes, 2),
            ("dense", dense, 1),
            *(("filters", number, 1) for number in filters),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of {least} or more, got {value!r}")
        if len(dropout) != len(filters) + 1 or not all(0 <= rate < 1 for rate in dropout):
            raise ValueError(f"dropout must be {len(filters) + 1} rates from 0 to below 1, got {dropout!r}")

        model = keras.Sequential(name="minivggnet")
        model.add(keras.Input((height, width, depth)))

        # (CONV => BN => RELU) x 2 => POOL layer sets: first at full size, then at half the side with more filters
        for number, rate in zip(filters, dropout[:-1], strict=True):
            for _ in range(2):
                # No bias: batch normalization, right after, subtracts the mean and adds a bias of its own. Its
                # momentum is 0.9, not Keras's 0.99, so that short trainings too end with the right running averages.
                model.add(layers.Conv2D(number, 3, padding="same", use_bias=False))
                model.add(normalization(momentum=0.9))
                model.add(layers.ReLU())
            model.add(layers.MaxPooling2D(2))
            model.add(layers.Dropout(rate))

        # FLATTEN => DENSE => BN => RELU layer set
        model.add(layers.Flatten())
        model.add(layers.Dense(dense, use_bias=False))
        model.add(normalization(momentum=0.9))
        model.add(layers.ReLU())
        model.add(layers.Dropout(dropout[-1]))

        # softmax classifier: ten numbers that add up to 1, float32 even where all else computes in 16 bits
        model.add(layers.Dense(classes, activation="softmax", dtype="float32"))
        return model


def structure(model):
    """Return a row (layer, output shape, parameters, multiply-adds, receptive field) for the input and each layer.

    Of a Sequential model. Strings, strings and ints, for example ("Conv2D 3x3, 32 filters", "28 x 28 x 32", 288,
    225_792, 3). Multiply-adds are those of one picture; the receptive field is the side of the square of input pixels
    that one output number depends on.
    """
    rows = [("Input", _shape(model.input_shape), 0, 0, 1)]
    field, step = 1, 1  # step: how many input pixels lie between neighbouring outputs
    for layer in model.layers:
        name, work = type(layer).__name__, 0
        if isinstance(layer, layers.Conv2D):
            name = f"Conv2D {_shape(layer.kernel_size, batch=False)}, {layer.filters} filters".replace(" x ", "x")
            field += (layer.kernel_size[0] - 1) * step
            work = math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.MaxPooling2D):
            name = f"MaxPooling2D {_shape(layer.pool_size, batch=False)}".replace(" x ", "x")
            field += (layer.pool_size[0] - 1) * step
            step *= layer.strides[0]
        elif isinstance(layer, layers.Dense):
            name = f"Dense {layer.units}" + (", softmax" if layer.activation is keras.activations.softmax else "")
            work = math.prod(layer.kernel.shape)
        elif isinstance(layer, layers.Flatten):
            field = model.input_shape[1]
        rows.append((name, _shape(layer.output.shape), layer.count_params(), work, field))
    return rows


def answers(model, image):
    """Return what each convolution of a Sequential model answers to a picture, after normalization and ReLU.

    image: float32 (28, 28, 1). Returns [(name, float32 (height, width, filters))].
    """
    found, latest = [], None
    for layer in model.layers:
        latest = layer if isinstance(layer, layers.Conv2D) else latest
        if latest and isinstance(layer, layers.ReLU) and len(layer.output.shape) == 4:
            found.append((f"convolution {len(found) + 1}: {_shape(layer.output.shape)}", layer.output))
    outputs = keras.Model(model.inputs[0], [output for _, output in found])(image[None])
    return [(name, keras.ops.convert_to_numpy(output)[0]) for (name, _), output in zip(found, outputs, strict=True)]


def _shape(shape, batch=True):
    return " x ".join(str(size) for size in (shape[1:] if batch else shape))
