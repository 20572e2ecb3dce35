"""The notebooks run from the first cell to the last; what they assert holds."""

import importlib.util
from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed; pip install jupytext nbclient ipykernel")
nbclient = pytest.importorskip("nbclient")
FOLDER = Path(__file__).with_name("notebooks")
NOTEBOOKS = {"extract_plan_ask": "numpy", "flower_app": "ray", "nvflare_job": "nvflare"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs(name, tmp_path):
    if importlib.util.find_spec(NOTEBOOKS[name]) is None:
        pytest.skip(f"{NOTEBOOKS[name]} is not installed")
    notebook = jupytext.read(FOLDER / f"{name}.py")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) >= 4
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in code)
