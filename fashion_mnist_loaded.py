"""Reload a trained network and measure it on the 10,000 test pictures, which it has never seen, or show it your own.

python fashion_mnist_loaded.py                          fashion_model.h5, made by fashion_mnist.py
python fashion_mnist_loaded.py --json result.json       the same figures for machines
python fashion_mnist_loaded.py --model other.h5         a network that somebody else trained with Keras
python fashion_mnist_loaded.py --image shirt.jpg        what is on this photo? (or more files, or folders)
"""

from pathlib import Path

from pyimagesearch import errors, files
from pyimagesearch.cli import libraries
from pyimagesearch.cli.arguments import Parser
from pyimagesearch.cli.run import run
from pyimagesearch.model_files.input_format import RANGES


def parse(arguments):
    parser = Parser(__doc__)
    parser.add_argument("--model", type=Path, default=Path("fashion_model.h5"), help="default: fashion_model.h5")
    parser.add_argument("--image", type=Path, nargs="+", metavar="FILE", help="pictures, or folders of them")
    parser.add_argument("--input-range", choices=RANGES, help="pixels as the network wants them (default: found out)")
    parser.add_argument("--tta", action="store_true", help="also tell the accuracy with mirror images averaged in")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    parser.add_images_flag()
    parser.add_data_flags()
    return parser.parse_args(arguments)


def main(arguments=()):
    args = parse(arguments)
    if args.json:
        files.check_target(args.json)
    files.check_folder(args.images)

    # The libraries are imported where they are first needed: a mistake in a flag or a file is told at once.
    from pyimagesearch.model_files import reading

    reading.check(args.model)
    if args.image:
        classify(args)
    else:
        measure(args)


def load(args):
    """Return the model, its record and how it reads pictures; say what they are."""
    from pyimagesearch.data import loading as datasets
    from pyimagesearch.data import preparation as preprocessing
    from pyimagesearch.evaluation import metrics as evaluation
    from pyimagesearch.model_files import reading, saving

    contents = reading.read(args.model)
    with libraries.quiet():
        from pyimagesearch.model_files import building
    model, record = building.build(contents), contents.record
    print(f"{args.model}: {errors.printable(saving.describe(record))}")
    if saving.is_ours(record) and not args.input_range:
        return model, record, evaluation.OURS
    # Training pictures tell how the network wants them; the test pictures stay unseen until all is settled.
    images, labels = datasets.load_part("train", args.data_dir, args.any_data)
    sample = preprocessing.reshape(images[:1000]), labels[:1000]
    input_format, accuracy = evaluation.find_reading(model, args.input_range, *sample)
    print(
        f"  its input format: pixels {input_format.range}, shape {input_format.shape}; outputs: {input_format.outputs}"
    )
    print(f"  with it, accuracy {accuracy:.1%} on {len(sample[1]):,} training images")
    return model, record, input_format


def measure(args):
    """Measure the network on the test pictures."""
    from pyimagesearch.data import loading as datasets
    from pyimagesearch.data import preparation as preprocessing
    from pyimagesearch.evaluation import metrics as evaluation
    from pyimagesearch.figures import plots
    from pyimagesearch.model_files import saving

    images, labels = datasets.load_part("test", args.data_dir, args.any_data)
    images = preprocessing.reshape(images)
    print(preprocessing.describe("test pictures", images))

    model, record, input_format = load(args)
    probabilities = evaluation.predict(model, images, input_format)
    result = evaluation.evaluate(probabilities, labels, datasets.CLASS_NAMES, saving.temperature(record))
    if args.tta:
        both = evaluation.average_mirrored(model, images, probabilities, input_format)
        result["tta"] = evaluation.evaluate(both, labels, datasets.CLASS_NAMES, saving.temperature(record))
    print(evaluation.summary(result, len(labels)) + "\n")
    print(evaluation.report_text(probabilities, labels, datasets.CLASS_NAMES) + evaluation.REPORT_WORDS)

    plots.confusion_matrix(result["confusion_matrix"], datasets.CLASS_NAMES, args.images / "confusion_matrix.png")
    plots.predictions(images, labels, probabilities, datasets.CLASS_NAMES, args.images / "predictions.png")
    plots.mistakes(images, labels, probabilities, datasets.CLASS_NAMES, args.images / "mistakes.png")
    plots.reliability(result, args.images / "reliability.png")
    print(f"drawn in {args.images}: confusion_matrix, predictions, mistakes, reliability (.png)")
    if args.json:
        files.write_json(args.json, result)


def classify(args):
    """Say what the network sees on the user's own pictures."""
    from pyimagesearch.photos import photo

    paths = photo.find(args.image)
    photos = list(photo.prepared(paths))
    from pyimagesearch.data import loading as datasets
    from pyimagesearch.evaluation import metrics as evaluation
    from pyimagesearch.figures import plots
    from pyimagesearch.model_files import saving

    model, record, input_format = load(args)
    shown, answers = [], []
    for path, prepared in photos:
        if isinstance(prepared, errors.UserError):
            errors.warn(errors.printable(str(prepared)))
            continue
        views = evaluation.predict(model, prepared.pictures, input_format)
        answer = evaluation.combine(views, saving.temperature(record))
        best = [f"{datasets.CLASS_NAMES[k]} {answer[k]:.0%}" for k in answer.argsort()[:-4:-1]]
        print(errors.printable(f"{path}: {', '.join(best)}"))
        unsure = ["the network is not sure"] if answer.max() < 0.5 else []
        for doubt in (*prepared.doubts, *unsure):
            print(f"  note: {doubt}")
        shown.append((path.name, prepared, answer))
        answers.append({"file": str(path), **dict(zip(datasets.CLASS_NAMES, answer.tolist(), strict=True))})
    if shown:
        plots.photos(shown, datasets.CLASS_NAMES, args.images / "photos.png")
        print(f"drawn: {args.images / 'photos.png'}")
    if args.json:
        files.write_json(args.json, answers)
    if len(shown) < len(paths):
        raise errors.UserError(f"{len(paths) - len(shown)} of {len(paths)} pictures could not be used; see above")


if __name__ == "__main__":
    run(main)
