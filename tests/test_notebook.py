"""The scripts in a notebook: README's lines, %run, and calls of main(), in a real Jupyter kernel."""

import os
import re
import sys

import pytest

from conftest import ROOT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")


def execute(cells, folder, **variables):
    """Run cells in a new kernel in `folder`; return the text and the kinds of what the last one shows."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}})
    environment = {key: os.environ[key] for key in ("PATH", "KERAS_BACKEND") if key in os.environ}
    client.execute(env=environment | {"HOME": str(folder), "PYTHONPATH": str(ROOT)} | variables)
    outputs = notebook.cells[-1].outputs
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.outputs), kinds


@pytest.mark.real_data
def test_the_lines_of_the_readme(genuine, tmp_path):
    section = (ROOT / "README.md").read_text().split("## In a notebook")[1]
    lines = re.search(r"```python\n(.*?)```", section, re.S)[1]
    assert lines.count('"--limit", "2000"') == 1
    lines = lines.replace('"--limit", "2000"', '"--limit", "240", "--epochs", "1"')
    text, kinds = execute(lines.strip().splitlines(), tmp_path, FASHION_MNIST_DIR=str(genuine))
    assert "validation accuracy" in text
    assert "most confused pairs" in text
    assert "image/png" in kinds


def test_run_and_main_with_and_without_arguments_and_a_mistake(small_data, tmp_path):
    flags = f"--data-dir {small_data} --any-data"
    text, _ = execute(
        [
            "import sys; print('Python in', sys.prefix)",
            f"%run {ROOT}/fashion_mnist.py {flags} --epochs 1 --limit 240",
            f"%run {ROOT}/fashion_mnist_loaded.py {flags}",
            f"import fashion_mnist_loaded; result = fashion_mnist_loaded.main({flags.split()!r})",
            "print(sorted(result)[:2])",
            "import os; os.remove('fashion_model.h5')",
            "try:\n    fashion_mnist_loaded.main()\nexcept Exception as error:\n    print(type(error).__name__, error)",
        ],
        tmp_path,
    )
    assert f"Python in {sys.prefix}\n" in text  # the tests' own, not another kernel of the user's
    assert text.count("most confused pairs") == 2
    assert "['accuracy', 'accuracy_interval']" in text
    assert re.search("UserError .*fashion_model.h5", text)
