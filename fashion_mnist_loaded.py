"""Reload a trained network and evaluate it on the 10,000 test images, which it
has never seen, or predict the class of your own photos.

python fashion_mnist_loaded.py                     fashion_model.h5
python fashion_mnist_loaded.py --json result.json  also write all metrics
python fashion_mnist_loaded.py --model other.h5    somebody else's network
python fashion_mnist_loaded.py --image shirt.jpg   photos, or folders of them
python fashion_mnist_loaded.py --explain 12 845    what decides test images
python fashion_mnist_loaded.py --explain           what decides its mistakes
"""

import functools

from pyimagesearch import files
from pyimagesearch.cli import libraries
from pyimagesearch.cli.arguments import Parser, as_path, command, number
from pyimagesearch.cli.run import run
from pyimagesearch.errors import UserError, printable, warn
from pyimagesearch.model_files.input_format import RANGES
from pyimagesearch.progress import say

MOST = 12  # images in a figure


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--model", type=as_path, default="fashion_model.h5", help="default: fashion_model.h5")
    parser.add_argument("--architecture", type=as_path, metavar="FILE", help="JSON of the network of a weights file")
    parser.add_argument("--image", type=as_path, nargs="+", metavar="FILE", help="photos, or folders of them")
    parser.add_argument(
        "--explain",
        type=number(int, 0, 1_000_000),
        nargs="*",
        metavar="N",
        help="draw which places of an image decide: numbers of test images (default: the most confident mistakes)",
    )
    parser.add_argument(
        "--input-range", choices=RANGES, metavar="RANGE", help="of the network's pixels, as 0..255 (default: found out)"
    )
    parser.add_argument("--tta", action="store_true", help="also evaluate with test-time augmentation (flips)")
    parser.add_argument("--json", type=as_path, metavar="FILE", help="also write the metrics to FILE")
    parser.add_images_flag()
    parser.add_data_flags()
    args = parser.parse_args(arguments)
    if args.image and args.explain:
        parser.error("argument --explain: it takes no numbers with --image, whose photos it explains")
    if len(args.explain or ()) > MOST:
        parser.error(f"argument --explain: {len(args.explain)} numbers are too many; give at most {MOST}")
    if args.json:
        files.check_target(args.json, stream=True)
    return args


def main(arguments=()):
    """Evaluate a network; `arguments` is a list such as ["--model", "other.h5"]. Returns what --json would write."""
    args = parse(arguments)
    # Libraries are imported where they are first needed, so that a wrong flag or file is reported at once.
    from pyimagesearch.data import loading
    from pyimagesearch.model_files import reading, saving

    training = command("fashion_mnist.py", args, "model", "data_dir", "any_data", "resize", "class_names", "images")
    contents = reading.read(args.model, args.architecture, training)  # with h5py alone: nothing in the file is trusted
    converted, known = contents.record.get("pictures"), saving.class_names(contents.record)
    data = loading.Data(args.data_dir, args.any_data, args.resize, converted, known)
    result, unusable = predict_photos(args, contents, data) if args.image else (evaluate(args, contents, data), 0)
    if args.json:
        files.write_json(args.json, result)
    if unusable:
        raise UserError(f"{unusable} of {unusable + len(result)} files could not be used; see above")
    return result


def is_genuine(data, contents):
    """Return whether the network was trained on Fashion-MNIST: what its record says, or else what data is given."""
    return contents.record["genuine_data"] is True if "genuine_data" in contents.record else data.genuine


def evaluate(args, contents, data):
    """Evaluate the network on the test images. Returns a dict of figures."""
    from pyimagesearch.data import preparation

    # Load the test images, and the number of the class of each.
    images, labels = data.part("test")
    images = preparation.reshape(images)
    print(preparation.describe("test images", images))
    if args.explain and (last := max(args.explain)) >= len(labels):
        raise UserError(f"there is no test image {last}: they are numbered 0 to {len(labels) - 1:,}; change --explain")
    if data.pictures and contents.record.get("picture_names", "") != data.pictures.digest():
        warn(
            f"pictures were added, removed or renamed after the training of {args.model}; some that are for the test "
            "now may have been among those for training: train again"
        )
    if data.genuine and not is_genuine(data, contents):
        warn(f"{args.model} was trained on other data than this; give its own with --data-dir DIR --any-data")
    model, input_format, class_names, temperature = load(args, contents, data, labels)

    from pyimagesearch.evaluation import metrics, occlusion, predict
    from pyimagesearch.figures import evaluation as figures
    from pyimagesearch.figures import style
    from pyimagesearch.model_files import saving
    from pyimagesearch.playground import page

    # Predict: for each image, a probability for each class.
    network = functools.partial(predict.predict, model, input_format=input_format)
    probabilities = network(images)

    # Compare with the labels.
    result = metrics.evaluate(probabilities, labels, class_names, temperature)
    if args.tta and contents.record.get("flip") is False:
        say("no test-time augmentation: the recipe had no flips, so a mirrored image may be new to the network")
    elif args.tta:
        averaged = predict.test_time_augmentation(model, images, probabilities, input_format)
        result["tta"] = metrics.evaluate(averaged, labels, class_names, temperature)
    for line in metrics.summary(result, len(labels)):
        say(line)
    validated, chance = contents.record.get("validation_accuracy"), len(labels) ** -0.5
    if isinstance(validated, float) and validated > result["accuracy"] + 0.2 + 2 * chance:
        warn(f"{args.model} had {validated:.2%} on validation images: were pixels or labels others in training?")
    print(f"\n{metrics.report_text(probabilities, labels, class_names)}")

    # Look at the mistakes.
    drawn = style.save(
        args.images,
        confusion_matrix=figures.confusion_matrix(result["confusion_matrix"], class_names),
        predictions=figures.predictions(images, labels, probabilities, class_names),
        reliability=figures.reliability(result),
    )
    say(f"figures: {', '.join(map(str, drawn))}")

    # Write a page in which the network runs, to play with.
    path, about = args.images / "playground.html", f"{args.model.name}, {saving.describe(contents.record)}"
    problem = page.write(path, about, model, input_format, images, labels, probabilities, class_names, temperature)
    if problem:
        files.remove(path)
    print(f"no interactive page: {problem}" if problem else f"interactive page: {path} (open it in a browser)")

    if args.explain is None:
        flags = "model", "architecture", "input_range", "data_dir", "any_data", "resize", "class_names", "images"
        print(f"next, see why it is wrong:\n  {command('fashion_mnist_loaded.py', args, *flags)} --explain")
        return result
    chosen = list(dict.fromkeys(args.explain)) or metrics.confident_mistakes(probabilities, labels).tolist()
    explained = [occlusion.explain(network, f"test image {k}", images[k], int(labels[k])) for k in chosen]
    result["explanations"] = show(args, class_names, explained)
    return result


def predict_photos(args, contents, data):
    """Predict the class of the user's own photos. Returns (a dict for each photo, how many files are no photos)."""
    from pyimagesearch.data import folders
    from pyimagesearch.photos import conversion
    from pyimagesearch.photos import files as photo_files

    if args.resize and not data.converted:
        raise UserError(f"{args.model} was not trained with --resize; leave it out")
    paths, unusable = photo_files.find(args.image)  # prints a warning for each file that is no photo
    model, input_format, class_names, temperature = load(args, contents, data)

    from pyimagesearch.evaluation import calibration, familiarity, photo_prediction, predict
    from pyimagesearch.figures import photos as figures
    from pyimagesearch.figures import style

    # Of a photo that is unlike the training data, temperature scaling would make the network too sure.
    def network(images, plain):
        probabilities = predict.predict(model, images, input_format)
        return calibration.apply_temperature(probabilities, temperature) if plain or data.converted else probabilities

    genuine, unlike = is_genuine(data, contents) and len(class_names) > max(photo_prediction.SHOES), None
    if genuine and input_format is predict.OURS:
        unlike = familiarity.comparison(model, data)
    result, shown = [], []
    for path in paths:
        try:
            image, notes = photo_files.read(path)
            if data.converted:
                photo = folders.convert(image, notes, path, data.converted)
            else:
                photo = conversion.convert(image, path, notes, shoes=genuine)
        except UserError as error:
            warn(str(error))
            unusable += 1
            continue
        one = photo_prediction.predict_photo(photo, network, class_names, unlike)
        for line in one.lines(path, class_names):
            say(printable(line))
        result.append(one.as_dict(path, class_names))
        if len(shown) < MOST:
            shown.append((path, one))
    if any(one["doubts"] for one in result):
        say(f"to be surer, {photo_prediction.ADVICE[genuine]}")
    if shown:
        drawn = style.save(args.images, photos=figures.photos(shown, class_names))
        print(f"figure: {drawn[0]}")
    if shown and args.explain is not None:
        explained = show(args, class_names, [one.explain(network, path) for path, one in shown])
        for photo, explanation in zip(result, explained, strict=False):
            photo["explanation"] = explanation
    return result, unusable


def show(args, class_names, explained):
    """Print and draw explanations: the places that predictions rest on. Returns a list with a dict for each."""
    from pyimagesearch.evaluation.occlusion import PATCH
    from pyimagesearch.figures import evaluation as figures
    from pyimagesearch.figures import style

    if not explained:
        print("no mistake to explain")
        return []
    say(
        f"the {PATCH}x{PATCH} pixels that matter most, by the row and column of their middle, from 0 (a small fall: no "
        "single place decides):"
    )
    for one in explained:
        say(f"  {printable(one.describe(class_names))}")
    drawn = style.save(args.images, explain=figures.explanations(explained, class_names))
    print(f"figure: {drawn[0]}")
    return [one.as_dict(class_names) for one in explained]


def load(args, contents, data, labels=None):
    """Build the network. Returns (model, input format, class names, temperature), and prints what they are.

    labels: those of the test images, if these are evaluated.
    """
    import numpy as np

    from pyimagesearch.data import loading, preparation
    from pyimagesearch.model_files import saving

    record = contents.record
    ours, class_names = saving.is_ours(record) and not args.input_range, saving.class_names(record)
    # The input format of other networks is found on training images: chosen on test images, it would inflate the
    # accuracy.
    training = None if ours else data.part("train")
    if labels is None:
        labels = training[1] if training else np.arange(len(class_names or loading.CLASS_NAMES))
    if args.class_names or not class_names:
        class_names = data.class_names(args.class_names, labels, genuine=is_genuine(data, contents))
    saving.check_labels(args.model, class_names, labels)
    with libraries.quiet():
        from pyimagesearch.evaluation import input_search, predict
        from pyimagesearch.model_files import building
    model = building.build(contents)
    say(f"{args.model}: {printable(saving.describe(record))}")
    if contents.architecture:
        print(f"  its network: {contents.architecture}")
    try:
        if ours and model.outputs[0].shape[1:] == (len(class_names),):
            return model, predict.OURS, class_names, saving.temperature(record)
        images, labels = training or data.part("train")
        images = preparation.reshape(images)
        model, trial = input_search.find_input_format(model, images, labels, class_names, args.input_range)
    except UserError as error:
        raise UserError(f"cannot evaluate {args.model}: {error}") from error
    say(f"  input format: {trial.format.describe(model.outputs[0].shape[-1])}")
    say(f"  with it, accuracy {trial.accuracy:.1%} of {trial.count:,} training images")
    if trial.best_skill > trial.skill + 0.1:
        order = trial.describe_order(class_names, model.outputs[0].shape[-1])
        warn(f"the order of the outputs may differ from that of the classes: better would be {order}")
    return model, trial.format, class_names, 1.0


if __name__ == "__main__":
    run(main)
