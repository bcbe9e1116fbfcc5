"""Accuracy of a network on photos, with photos/ and with three plain conversions.

python tests/benchmarks/photos.py DIR                  the photos in DIR/CLASS/*; CLASS as in Fashion-MNIST, or Shoes
python tests/benchmarks/photos.py DIR --model best.h5  another network

photos/ is tuned on the first half of each class, in the order of the file names; the second half measures it.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from pyimagesearch.cli import libraries
from pyimagesearch.data import loading
from pyimagesearch.evaluation import predict
from pyimagesearch.model_files import reading
from pyimagesearch.photos import conversion, files

CLASSES = {name.lower(): {number} for number, name in enumerate(loading.CLASS_NAMES)}
CLASSES |= {"t-shirt": {0}, "shoes": {5, 7, 9}}


def resized(image):
    return [np.asarray(image.convert("L").resize((28, 28)))]


def paper(image):
    """The paper's steps (section 2): trim what is within 5% of the corner pixel, subsample, sharpen, negate."""
    corner = Image.new("RGB", image.size, image.getpixel((0, 0)))
    box = ImageChops.difference(image, corner).convert("L").point(lambda value: 255 * (value > 13)).getbbox()
    image = image.crop(box)
    image.thumbnail((28, 28), Image.Resampling.NEAREST)
    gray = ImageOps.invert(image.filter(ImageFilter.UnsharpMask(1)).convert("L"))
    sheet = Image.new("L", (28, 28))
    sheet.paste(gray, ((28 - image.width) // 2, (28 - image.height) // 2))
    return [np.asarray(sheet)]


CONVERSIONS = {
    "gray + resize": resized,
    "the same, negated": lambda image: 255 - np.stack(resized(image)),
    "the paper's steps": paper,
    "photos/": lambda image: conversion.convert(image).images[..., 0],
}


def ranks(model, convert, folder):
    """Return the rank, 0 the first, of the right class in the prediction for each photo of a folder: int (N,)."""
    result = []
    for file in sorted(folder.iterdir()):
        images = np.stack(convert(files.read(file)))[..., np.newaxis]
        order = list(predict.combine(predict.predict(model, images)).argsort()[::-1])
        result.append(min(order.index(number) for number in CLASSES[folder.name.lower()]))
    return np.array(result)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "fashion_model.h5")
    args = parser.parse_args(arguments)
    with libraries.quiet():
        from pyimagesearch.model_files import building
    model = building.build(reading.read(args.model))

    folders = sorted(path for path in args.folder.iterdir() if path.name.lower() in CLASSES)
    found, seconds = {}, {}
    for name, convert in CONVERSIONS.items():
        start = time.perf_counter()
        found[name] = [ranks(model, convert, folder) for folder in folders]
        seconds[name] = time.perf_counter() - start
    for title, half in (
        ("first half, tuned on", lambda group: group[: len(group) // 2]),
        ("second half", lambda group: group[len(group) // 2 :]),
    ):
        groups = {name: [half(group) for group in found[name]] for name in found}
        count = sum(map(len, groups["photos/"]))
        print(f"{title}, n = {count}: accuracy / right class in the first three, %")
        print(f"{'':<18}" + "".join(f"{folder.name:>10}" for folder in folders) + f"{'all':>10}")
        for name, parts in groups.items():
            cells = [*parts, np.concatenate(parts)]
            print(f"{name:<18}" + "".join(f"{100 * np.mean(r == 0):>6.0f}/{100 * np.mean(r < 3):<3.0f}" for r in cells))
    total = sum(map(len, found["photos/"]))
    print("seconds for each photo: " + ", ".join(f"{name} {seconds[name] / total:.3f}" for name in found))


if __name__ == "__main__":
    main()
