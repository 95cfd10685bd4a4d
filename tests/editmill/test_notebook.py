"""The notebook of docs/ runs from top to bottom on a catalog, in a kernel of its own."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import editmill

ROOT = Path(editmill.__file__).parent.parent
NOTEBOOK = ROOT / "docs" / "dataset.ipynb"


@pytest.fixture(scope="module")
def notebook():
    read = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(read)
    return read


def test_it_is_kept_without_outputs(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) >= 6
    assert not any(cell.outputs or cell.execution_count for cell in cells)


def test_it_runs(notebook, root, tmp_path):
    env = os.environ | {
        "EDITMILL_CATALOG": str(root),
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    client = NotebookClient(
        notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute(env=env)
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    shown = ["".join(str(output.get("data", output)) for output in cell) for cell in outputs]
    assert "pairs per task" in shown[0]
    assert "global_style_transfer" in shown[1]
    assert "<video" in shown[3]
    assert "(12, 64, 96, 3)" in shown[4]
    assert "torch.Size([2, 8, 3, 96, 160])" in shown[-1]
