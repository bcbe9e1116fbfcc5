"""What all figures share: settings, colors, width, how images, tables and bars are drawn, how figures are saved."""

import contextlib
import io
import warnings

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.patches import Rectangle

from pyimagesearch.errors import printable
from pyimagesearch.figures import quiet_matplotlib
from pyimagesearch.files import replacing

# One meaning for each color, here and in the page (playground/page.css); color-blind readers can tell them apart
# (Okabe and Ito, "Color Universal Design", 2008). Pixels are gray.
#   orange, purple   numbers above 0 and below: weights, sums, feature maps, what a place adds to a prediction
#   blue             what is measured, predicted or trained; black: validation; a light blue frame: the same place
#   green, red       correct, wrong
BLUE, GREEN, RED, GRAY = "#0072B2", "#007A5A", "#C23B00", "#606060"
SUMS = {"cmap": "PuOr_r"}  # orange and purple
WIDTH, DPI = 7.5, 120  # inches, dots per inch: 900 pixels. On a phone, text of 13 points is 9 pixels high
# DejaVu Sans comes with matplotlib. Of the others, those that are installed draw the letters that it lacks.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei")
FONTS += "Noto Sans Devanagari", "Noto Emoji", "Segoe UI Emoji", "Symbola"
OWN = {"text.parse_math": False, "axes.titley": 1.0, "figure.constrained_layout.h_pad": 0.07}  # "$" is a dollar
OWN |= {"font.size": 13, "axes.titlesize": 13, "figure.titlesize": 13, "axes.titlepad": 4}
OWN |= {"axes.spines.top": False, "axes.spines.right": False, "grid.alpha": 0.3}


@contextlib.contextmanager
def settings():
    """Draw with matplotlib's defaults and OWN in this block, whatever a personal matplotlibrc says; print nothing."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    own = {key: value for key, value in matplotlib.rcParamsDefault.items() if "backend" not in key} | OWN
    own["font.family"] = [name for name in FONTS if name in installed]
    with quiet_matplotlib(), warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # of settings, which are its own
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in letters that no font has
        with matplotlib.rc_context(own):
            yield


own_style = settings()  # decorates a drawing function


class Figure(MatplotlibFigure):
    """A matplotlib Figure that a notebook shows, with or without pyplot, and that looks the same everywhere."""

    def __init__(self, height=1, title="", **options):
        super().__init__(**{"figsize": (WIDTH, height), "layout": "constrained"} | options)
        self.suptitle(title)

    def savefig(self, *arguments, **options):
        with settings():
            super().savefig(*arguments, **({"dpi": DPI, "facecolor": "white"} | options))

    def _repr_png_(self):
        png = io.BytesIO()
        self.savefig(png, format="png")
        return png.getvalue()


def save(folder, **figures):
    """Write each figure to `folder`/NAME.png, whole or not at all. Returns the paths; raises UserError if it cannot."""
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        with replacing(paths[-1]) as temporary:
            figure.savefig(temporary)
    return paths


def short(name, longest=20):
    """Return the name of a class or file so that it can be drawn: "?" for what no font can draw, "..." in the middle.

    A file name that is not UTF-8 has such characters.
    """
    name = printable(str(name))
    return name if len(name) <= longest else f"{name[: (longest - 2) // 2]}...{name[-((longest - 3) // 2) :]}"


def draw_image(axes, image, title="", **options):
    """Draw an image (height, width), by default gray from 0, black, to 255, white, below a title, without a frame."""
    drawn = axes.imshow(image, **{"cmap": "gray", "vmin": 0, "vmax": 255} | options)
    axes.set(title=title, xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return drawn


def draw_table(axes, values, texts, title="", size=16, **options):
    """Draw an array as draw_image() does, with a text in each cell: black where the cell is light, else white."""
    drawn = draw_image(axes, values, title, **options)
    light = drawn.to_rgba(values)[..., :3] @ (0.3, 0.6, 0.1) > 0.5
    for (row, column), text in np.ndenumerate(texts):
        color = "black" if light[row, column] else "white"
        axes.text(column, row, text, ha="center", va="center_baseline", color=color, fontsize=size)


def draw_frame(axes, left, top, side=1, color="#56B4E9"):
    """Draw a frame around `side` x `side` cells of an image or a table."""
    axes.add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor=color, linewidth=2.5, zorder=3))


def draw_bars(axes, probabilities, class_names, color=GRAY, most=3):
    """Draw the largest of the probabilities, (classes,), as bars: the largest at the top, in this color and bold."""
    chosen = np.argsort(-probabilities, kind="stable")[:most]
    axes.barh(range(len(chosen)), probabilities[chosen], color=[color] + [GRAY] * (most - 1), alpha=0.35, height=0.9)
    for row, number in enumerate(chosen):
        text = f" {short(class_names[number], 11)} {probabilities[number]:.0%}"
        weight = "normal" if row else "bold"
        axes.text(0, row, text, va="center_baseline", weight=weight, fontsize=12.5, in_layout=False)
    axes.set(xlim=(0, 1), ylim=(most + 0.2, -0.6))
    axes.set_axis_off()


def sheet(title, images, captions, columns=5, below=None):
    """Return a Figure of images (N, height, width), each with its caption above, red if there are texts `below`."""
    rows = -(-len(images) // columns)
    lines = max(caption.count("\n") + 1 for caption in captions) + bool(below)
    figure = Figure(0.7 + rows * (WIDTH / columns + 0.24 * lines), title)
    figure.get_layout_engine().set(hspace=0.06)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, image, caption, text in zip(grid, images, captions, below or [""] * len(images), strict=False):
        draw_image(axes, image, caption)
        axes.title.set_color(RED if below else "black")
        axes.set_xlabel(text, weight="bold")
    for axes in grid[len(images) :]:
        axes.set_axis_off()
    return figure
