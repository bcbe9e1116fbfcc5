"""How often the network is right on photos: ours beside three plain ways to prepare them.

python tests/benchmarks/photos.py DIR                the photos in DIR/CLASS/*; CLASS as in Fashion-MNIST, or Shoes
python tests/benchmarks/photos.py DIR --half second  the second half of each class alone, in the order of the names

photo.py was tuned on the first half of a collection of 280; the second half was used to measure, twice.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from pyimagesearch.data import loading as datasets
from pyimagesearch.evaluation import predict
from pyimagesearch.model_files import building, reading
from pyimagesearch.photos import photo

CLASSES = {name.lower(): {number} for number, name in enumerate(datasets.CLASS_NAMES)}
CLASSES |= {"t-shirt": {0}, "shoes": {5, 7, 9}}


def centred(image):
    """Scale the longer edge to 28 by subsampling, sharpen, negate, turn grey; black around."""
    image.thumbnail((28, 28), Image.Resampling.NEAREST)
    picture = Image.new("L", (28, 28))
    grey = ImageOps.invert(image.filter(ImageFilter.UnsharpMask(1)).convert("L"))
    picture.paste(grey, ((28 - image.width) // 2, (28 - image.height) // 2))
    return picture


def paper(image):
    """The paper's steps (section 2), done plainly: trim what is within 5% of the corner pixel."""
    corner = Image.new("RGB", image.size, image.getpixel((0, 0)))
    box = ImageChops.difference(image, corner).convert("L").point(lambda value: 255 * (value > 13)).getbbox()
    return centred(image.crop(box))


WAYS = {
    "grey + resize": lambda image: [np.asarray(image.convert("L").resize((28, 28)))],
    "the same inverted": lambda image: [255 - np.asarray(image.convert("L").resize((28, 28)))],
    "the paper's steps": lambda image: [np.asarray(paper(image))],
    "photo.py": lambda image: photo.prepare(image).pictures[..., 0],
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "fashion_model.h5")
    parser.add_argument("--half", choices=("first", "second"))
    args = parser.parse_args(arguments)
    model = building.build(reading.read(args.model))

    hits = {way: {} for way in WAYS}
    for folder in sorted(path for path in args.folder.iterdir() if path.name.lower() in CLASSES):
        files = sorted(folder.iterdir())
        middle = len(files) // 2
        files = {"first": files[:middle], "second": files[middle:], None: files}[args.half]
        for way, prepare in WAYS.items():
            ranks = []
            for file in files:
                views = np.stack(prepare(photo.read(file)))[..., np.newaxis]
                best = predict.combine(predict.predict(model, views)).argsort()[::-1]
                ranks.append(min(list(best).index(number) for number in CLASSES[folder.name.lower()]))
            hits[way][folder.name] = np.array(ranks)

    names = list(hits["photo.py"])
    print(f"right / in the best three, % of {sum(len(ranks) for ranks in hits['photo.py'].values())} photos")
    print(f"{'':<18}" + "".join(f"{name:>10}" for name in names) + f"{'all':>10}")
    for way, groups in hits.items():
        cells = [*(groups[name] for name in names), np.concatenate(list(groups.values()))]
        print(f"{way:<18}" + "".join(f"{100 * np.mean(r == 0):>6.0f}/{100 * np.mean(r < 3):<3.0f}" for r in cells))


if __name__ == "__main__":
    main()
