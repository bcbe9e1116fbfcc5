"""Accuracy of a network on photos, with photos/, and only resized and negated.

python tests/benchmarks/photos.py DIR                  the photos in DIR/CLASS/*; CLASS as in Fashion-MNIST, or Shoes
python tests/benchmarks/photos.py DIR --model best.h5  another network
python tests/benchmarks/photos.py DIR --first-half     to tune: the other half is not read

photos/ is tuned on the first half of each class, by file name; the second half measures it. A photo of Shoes is right
as any of Sandal, Sneaker and Ankle boot. A last line counts photos of pairs, and those where the whole is believed.
"""

import argparse
from pathlib import Path

import numpy as np
from tables import ROOT

from pyimagesearch.cli import libraries
from pyimagesearch.data import loading
from pyimagesearch.model_files import reading
from pyimagesearch.photos import conversion, files

with libraries.quiet():
    from pyimagesearch.evaluation import predict
    from pyimagesearch.evaluation.photo_prediction import predict_photo
    from pyimagesearch.model_files import building

CLASSES = {name.replace("/", "-").lower(): {number} for number, name in enumerate(loading.CLASS_NAMES)}
CLASSES |= {"t-shirt": {0}, "shoes": {5, 7, 9}}
RESIZED, OURS = "resize + negate", "photos/"


def rank(probabilities, right):
    """Return the rank, 0 the first, of the first of the classes `right`."""
    order = list(probabilities.argsort()[::-1])
    return min(order.index(number) for number in right)


def measure(model, folder, half):
    """Measure a half (0 or 1) of a folder. Returns {conversion: ranks of the right class}, and a list of what is taken
    for a pair of shoes: None, "pair" or "whole" (it looks like a pair, but the whole garment is believed).
    """
    paths, right = sorted(folder.iterdir()), CLASSES[folder.name.lower()]
    ranks, pairs = {RESIZED: [], OURS: []}, []
    for path in paths[len(paths) // 2 :] if half else paths[: len(paths) // 2]:
        image = files.read(path)[0]
        resized = 255 - np.asarray(image.convert("L").resize((28, 28)))
        ranks[RESIZED].append(rank(predict.predict(model, resized[None, ..., None])[0], right))
        photo = conversion.convert(image)
        one = predict_photo(photo, lambda images, plain: predict.predict(model, images), loading.CLASS_NAMES)
        ranks[OURS].append(rank(one.probabilities, right))
        pairs.append(photo.whole and ("pair" if one.photo is photo else "whole"))
    return {name: np.array(values) for name, values in ranks.items()}, pairs


def table(title, groups):
    """Print a half: a line for each conversion, a column for each class. groups: {class: {name: ranks}}."""
    counts = [len(ranks[OURS]) for ranks in groups.values()]
    print(f"\n{title}, n = {sum(counts)}: accuracy / right class in the first three, %")
    print(f"{'':<19}" + "".join(f"{name:>10}" for name in [*groups, "all"]))
    print(f"{'n':<19}" + "".join(f"{count:>10}" for count in [*counts, sum(counts)]))
    for name in (RESIZED, OURS):
        parts = [ranks[name] for ranks in groups.values()]
        cells = [f"{100 * np.mean(r == 0):.0f}/{100 * np.mean(r < 3):.0f}" for r in [*parts, np.concatenate(parts)]]
        print(f"{name:<19}" + "".join(f"{cell:>10}" for cell in cells))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "fashion_model.h5")
    parser.add_argument("--first-half", action="store_true", help="only the half that photos/ is tuned on")
    args = parser.parse_args(arguments)
    model = building.build(reading.read(args.model))

    folders = sorted(path for path in args.folder.iterdir() if path.name.lower() in CLASSES)
    titles = ["first half, tuned on", "second half"]
    for half, title in enumerate(titles[:1] if args.first_half else titles):
        found = {folder.name: measure(model, folder, half) for folder in folders}
        table(title, {name: ranks for name, (ranks, _) in found.items()})
        for pair, words in ("pair", "taken for a pair of shoes"), ("whole", "believed as a whole instead"):
            print(f"{words}: " + ", ".join(f"{name} {pairs.count(pair)}" for name, (_, pairs) in found.items()))


if __name__ == "__main__":
    main()
