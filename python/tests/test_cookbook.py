"""The recipes of docs/from-tenseal.md, run as they stand."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).with_name("from-tenseal.md")


def test_recipes_run(capsys):
    pytest.importorskip("sklearn")
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert "secret" in capsys.readouterr().out
