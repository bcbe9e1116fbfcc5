"""What all figures share: settings, colors, width, how names are written, how figures are saved."""

import contextlib
import io
import warnings

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure as MatplotlibFigure

from pyimagesearch.errors import printable
from pyimagesearch.figures import quiet_matplotlib
from pyimagesearch.files import replacing

# Colors that color-blind readers can tell apart (Okabe and Ito, "Color Universal Design", 2008).
BLUE, ORANGE, GREEN, RED, GRAY = "#0072B2", "#E69F00", "#007A5A", "#C23B00", "#606060"
WIDTH = 9  # inches; at 110 dots per inch about the width of a README
DPI = 110
# DejaVu Sans comes with matplotlib. Of the others, those that are installed draw the letters that it lacks.
FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei")
FONTS += "Noto Sans Devanagari", "Noto Emoji", "Segoe UI Emoji", "Symbola"


@contextlib.contextmanager
def settings():
    """Draw with matplotlib's default settings in this block, whatever a personal matplotlibrc says, and print nothing.

    Text is drawn as it is: "$" is a dollar, not the start of a formula.
    """
    installed = {font.name for font in font_manager.fontManager.ttflist}
    own = {key: value for key, value in matplotlib.rcParamsDefault.items() if "backend" not in key}
    own |= {"axes.titley": 1.0, "text.parse_math": False, "font.family": [name for name in FONTS if name in installed]}
    with quiet_matplotlib(), warnings.catch_warnings():
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)  # of settings, which are its own
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in letters that no font has
        with matplotlib.rc_context(own):
            yield


own_style = settings()  # decorates a drawing function


class Figure(MatplotlibFigure):
    """A matplotlib Figure that a notebook shows, with or without pyplot, and that looks the same everywhere."""

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


def panels(rows, columns, height):
    """Return a Figure of this height in inches and its axes, a grid (rows, columns) without ticks and frames."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        no_ticks(axes)
    return figure, grid


def draw_image(axes, image, title="", white=255, **options):
    """Draw an image (height, width) in gray, 0 black and `white` white, below a title with these options."""
    axes.imshow(image, cmap="gray", vmin=0, vmax=white)
    axes.set_title(title, **options)


def no_ticks(axes):
    """Take ticks and frame from an axes that shows an image; its labels stay."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def open_frame(axes):
    """Give an axes with curves a light grid and no frame above and at the right."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
