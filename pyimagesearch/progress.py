"""What a person reads while the work goes on: lines of at most 80 columns and, on a terminal, a bar below the last one.

Files, pipes, notebooks and terminals that cannot move their cursor get the lines alone.
"""

import contextlib
import shutil
import sys
import textwrap
import time

WIDTH = 80  # columns
DELAY = 1  # seconds; what takes less needs no bar


def say(text):
    """Print a text in lines of at most 80 columns, or of the terminal's width, wrapped at spaces.

    Lines after the first are indented. For a path or a command, which must stay whole, use print.
    """
    width = min(WIDTH, shutil.get_terminal_size().columns)
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    print(textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False))


def duration(seconds):
    """Return a time to wait as text: "40 s", "12 min", "5 h"."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds > 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def track(items, description, total=None):
    """Yield the items, and show on a terminal how many are done. total: their number, for items without a length."""
    total = len(items) if total is None else total
    with bar(description, total) as update:
        for done, item in enumerate(items, start=1):
            yield item
            update(done)


@contextlib.contextmanager
def bar(description, total=None):
    """Show a bar on a terminal until the block ends, once it has taken a second; without a total, at once.

    Yields a function: update(done), where `done` counts up to `total`; update(done, "30 s left") to put another note
    in the place of the time left; update(done, note, description) to change the description.
    """
    from rich import console, file_proxy, progress, table

    def text(form):
        return progress.TextColumn(form, markup=False, table_column=table.Column(no_wrap=True, overflow="crop"))

    def is_terminal(stream):
        return hasattr(stream, "isatty") and stream.isatty()

    screen = console.Console(force_terminal=is_terminal(sys.stdout), force_jupyter=False)
    display = progress.Progress(
        text("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.TaskProgressColumn(),
        text("{task.fields[note]}"),
        console=screen,
        transient=True,
        redirect_stderr=is_terminal(sys.stderr),
        disable=not screen.is_interactive or isinstance(sys.stdout, file_proxy.FileProxy),  # the latter: in a bar
    )
    task, start = display.add_task(description, total=total, note=""), time.monotonic()
    if total is None:
        display.start()

    def update(done, note=None, description=None):
        elapsed = time.monotonic() - start
        if note is None:
            note = f"{duration(elapsed / done * (total - done))} left" if done else ""
        display.update(task, completed=done, note=note, description=description)
        if elapsed > DELAY:
            display.start()

    try:
        yield update
    finally:
        display.stop()
