"""The `fast` recipe in PyTorch, at equal work: what of its speed is the framework, and what is the recipe."""

import dataclasses
import os

import torch
from torch import nn

from pyimagesearch.data.batches import Batches, scale
from pyimagesearch.recipes import RECIPES
from pyimagesearch.training import devices
from pyimagesearch.training.network import build
from pyimagesearch.training.train import compiled, learning_rates


class Training:
    """A training by `fast`: the same network and first weights, whitening, batches, loss, optimizer and precision.

    The batches are made by the same code, augmentation included. Images lie in memory as PyTorch likes them best
    (channels last). With a constant learning rate, a step changes the weights as in Keras, up to rounding; where the
    rate changes, PyTorch applies the new one to all of the momentum, Keras to the new gradient alone.

    images: uint8 (N, 28, 28, 1); labels: (N,); steps: those of the learning-rate schedule.
    """

    def __init__(self, images, labels, batch_size=256, compile=False, steps=10_000, seed=0):
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        recipe = RECIPES["fast"]
        precision = recipe.bfloat16 and devices.fast_bfloat16()
        self.recipe = dataclasses.replace(recipe, batch_size=batch_size, bfloat16=precision)
        self.images, self.labels, self.steps, self.seed, self.done = images, labels, steps, seed, 0
        network = compiled(self.recipe, build(self.recipe, 10, seed), images, seed, steps)
        self.rates = learning_rates(self.recipe, steps)  # the Keras schedule: step -> rate

        layers = []
        for before, filters in ((1, 32), (32, 32), (32, 64), (64, 64)):
            layers.append(nn.Conv2d(before, filters, 3, padding="same", bias=False))
            layers += [normalization(nn.BatchNorm2d, filters), nn.ReLU()]
            if before == filters:
                layers.append(nn.MaxPool2d(2))
        layers += [nn.Flatten(), nn.Linear(3136, 512, bias=False), normalization(nn.BatchNorm1d, 512), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.Linear(512, 10)).to(memory_format=torch.channels_last)
        copy_weights(network, self.model)

        self.kernels = [layer.weight for layer in self.model if isinstance(layer, nn.Conv2d | nn.Linear)]
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1, self.recipe.momentum, nesterov=True)
        self.loss = nn.CrossEntropyLoss(label_smoothing=self.recipe.label_smoothing)
        self.forward = torch.compile(self.model) if compile else self.model

    def epoch(self, count=None, number=0):
        """Train on the first `count` images, once."""
        batches = Batches(self.images[:count], self.labels[:count], 10, self.recipe.batch_size, self.seed, self.recipe)
        batches.start_epoch(number)
        self.model.train()
        for index in range(len(batches)):
            images, targets = batches[index]
            self.step(images, targets)

    def step(self, images, targets):
        rate = self.optimizer.param_groups[0]["lr"] = float(self.rates(self.done))
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            logits = self.forward(channels_first(images))
        self.loss(logits.float(), torch.from_numpy(targets)).backward()
        with torch.no_grad():  # weight decay as in Keras: not a part of the gradient, not for biases and normalizations
            torch._foreach_mul_(self.kernels, 1 - rate * self.recipe.weight_decay)
        self.optimizer.step()
        self.done += 1

    def accuracy(self, images, labels):
        self.model.eval()
        with torch.inference_mode():
            parts = [self.model(channels_first(scale(images[k : k + 500]))) for k in range(0, len(images), 500)]
        return float((torch.cat(parts).argmax(1).numpy() == labels).mean())


def normalization(kind, channels):
    """Return a batch normalization with the constants of MiniVGGNet's (PyTorch's momentum is 1 minus Keras's)."""
    return kind(channels, eps=1e-3, momentum=0.1)


def channels_first(images):
    """Return images (N, height, width, channels) as a tensor (N, channels, height, width), without moving a pixel."""
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def copy_weights(network, model):
    """Give a PyTorch model the weights of the Keras network with the same layers."""
    sources = [layer.get_weights() for layer in network.layers if layer.get_weights()]
    targets = [layer for layer in model if list(layer.parameters())]
    with torch.no_grad():
        for values, target in zip(sources, targets, strict=True):
            values = [torch.from_numpy(value) for value in values]
            if isinstance(target, nn.Conv2d):
                target.weight.copy_(values[0].permute(3, 2, 0, 1))
            elif isinstance(target, nn.Linear):
                kernel = values[0]
                if len(kernel) == 3136:  # Keras flattens (7, 7, 64), PyTorch (64, 7, 7)
                    kernel = kernel.reshape(7, 7, 64, 512).permute(2, 0, 1, 3).reshape(3136, 512)
                target.weight.copy_(kernel.T)
                if target.bias is not None:
                    target.bias.copy_(values[1])
            else:
                for mine, value in zip(("weight", "bias", "running_mean", "running_var"), values, strict=True):
                    getattr(target, mine).copy_(value)
