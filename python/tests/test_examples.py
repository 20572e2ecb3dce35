"""The examples: what they add to an engine's own app is a few lines, and the PyTorch one learns where torch is installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).with_name("examples")


@pytest.mark.parametrize("name", ["flower_torch.py", "nvflare_job.py"])
def test_what_encryption_adds_is_five_lines_or_fewer(name):
    code = re.sub(r'""".*?"""', "", (EXAMPLES / name).read_text(), flags=re.DOTALL)
    assert 1 < sum("blindscope" in line for line in code.splitlines()) <= 5


def test_the_torch_example_learns():
    for needed in ("torch", "flwr", "ray"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    environment = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"}
    told = subprocess.run([sys.executable, str(EXAMPLES / "flower_torch.py")], env=environment, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr[-3000:]
    losses = [float(loss) for loss in told.stdout.split("mean loss by round:")[1].split("\n")[0].split()]
    right = float(told.stdout.rsplit(":", 1)[1])
    assert losses[-1] < losses[0] and right > 0.8
