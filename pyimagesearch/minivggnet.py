"""MiniVGGNet, the network: blocks of two 3x3 convolutions and a pooling, then one dense layer and the classifier."""

import keras
from keras import layers


class MiniVGGNet:
    """A small network in the manner of VGG (Simonyan and Zisserman, arXiv:1409.1556): 3x3 convolutions and pooling."""

    @staticmethod
    def build(width, height, depth, classes, filters=(32, 64), dense=512, dropout=0.25, dense_dropout=0.5):
        """Return an untrained, uncompiled Keras model.

        width, height   size of the images in pixels; each block halves it
        depth           channels of the images: 1 for gray, 3 for color
        classes         number of classes
        filters         filters of the two convolutions of each block; there are as many blocks as numbers. In place of
                        a number, a block may have a tuple, the filters of each of its convolutions
        dense           units of the dense layer; 0: no dense layer, but the mean of each feature map
        dropout         dropout rate after each block, 0 (off) to below 1
        dense_dropout   dropout rate after the dense layer

        Input: float32 (N, height, width, depth), pixels from 0.0 to 1.0. Output: float32 (N, classes), probabilities.
        Raises ValueError if the images are too small to be halved by each block.
        """
        if min(width, height) < 2 ** len(filters) or depth < 1:
            raise ValueError(f"images of {width}x{height}x{depth} are too small for {len(filters)} blocks")

        model = keras.Sequential(name="minivggnet")
        model.add(keras.Input((height, width, depth)))

        # CONV => BN => RELU => CONV => BN => RELU => POOL => DROPOUT layer sets:
        # the first with 32 filters on 28x28 pixels, the second with 64 filters on 14x14
        for block in filters:
            for number in (block, block) if isinstance(block, int) else block:
                # No bias: batch normalization subtracts the mean, and with it any bias, and adds one of its own.
                model.add(layers.Conv2D(number, 3, padding="same", use_bias=False))
                # Momentum 0.9, not Keras's 0.99: the running averages are right after a short training too.
                model.add(layers.BatchNormalization(momentum=0.9))
                model.add(layers.ReLU())
            model.add(layers.MaxPooling2D(2))
            model.add(layers.Dropout(dropout))

        if dense:
            # FLATTEN => DENSE => BN => RELU => DROPOUT layer set
            model.add(layers.Flatten())
            model.add(layers.Dense(dense, use_bias=False))
            model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.ReLU())
            model.add(layers.Dropout(dense_dropout))
        else:
            # The mean of each feature map (Lin, Chen and Yan, arXiv:1312.4400, section 3.2): no weights, and how much
            # of a feature there is counts, not where it is
            model.add(layers.GlobalAveragePooling2D())

        # Softmax classifier. In float32 even where the other layers compute in 16 bits, which would leave a probability
        # no more than three digits.
        model.add(layers.Dense(classes, activation="softmax", dtype="float32"))
        return model
