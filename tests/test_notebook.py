"""The scripts in a notebook: README's lines, %run, and calls of main(), in a real Jupyter kernel."""

import os
import re

import pytest

from conftest import ROOT

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")


def test_the_lines_of_the_readme_run_and_a_mistake_is_a_user_error(small_data, tmp_path):
    readme = (ROOT / "pyimagesearch/README.md").read_text()
    lines = re.search(r"## In a notebook.*?```python\n(.*?)```", readme, re.S)[1]
    small = lines.replace('"--limit", "2000"', '"--limit", "240", "--epochs", "1"')
    small = small.replace('"--model"', f"'--data-dir', {str(small_data)!r}, '--any-data', \"--model\"")
    assert small.count("--any-data") == 2 and '"240"' in small
    cells = [
        *(small, "print(len(history['accuracy']), 'epoch of', model.name, sorted(result)[:2])"),
        f"%run {ROOT}/fashion_mnist_loaded.py --data-dir {small_data} --any-data --model trial.h5",
        "try:\n    fashion_mnist_loaded.main()\nexcept Exception as error:\n    print(type(error).__name__, error)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    environment = {key: os.environ[key] for key in ("PATH", "KERAS_BACKEND") if key in os.environ}
    client.execute(env=environment | {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)})
    text = "".join(output.get("text", "") for cell in notebook.cells for output in cell.outputs)
    assert "1 epoch of minivggnet ['accuracy', 'accuracy_interval']" in text
    assert text.count("most confused pairs") == 2
    assert re.search("UserError .*fashion_model.h5", text)
