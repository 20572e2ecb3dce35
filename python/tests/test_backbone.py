"""Extraction: drawn tiles through a small transformer."""

import subprocess
import sys

import numpy as np
import pytest

from blindscope import Backbone
from blindscope.errors import DataError


def command(*arguments):
    return subprocess.run([sys.executable, "-m", "blindscope", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    made = command("data", "synth", folder, "--side", 64, "--patients", 4, "--tiles", 2)
    assert made.returncode == 0, made.stderr
    return folder / "tiles.csv"


def test_tiles_become_rows_and_progress_is_told(tiles):
    backbone, told = Backbone.small(seed=1), []
    features, rejected = backbone.extract(tiles, progress=lambda done, total: told.append((done, total)))
    assert features.x.shape == (len(features), backbone.width) and len(features) >= 24 and rejected == []
    assert features.backbone == backbone.digest and told[-1][0] == told[-1][1]
    again, _ = backbone.extract(tiles)
    np.testing.assert_array_equal(features.x, again.x)


def test_what_the_callback_raises_stops_the_run(tiles):
    def stop(done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        Backbone.small().extract(tiles, progress=stop)


def test_a_missing_model_is_named():
    with pytest.raises(DataError, match="no-such-model"):
        Backbone.load("no-such-model")


def test_the_command_is_carried():
    told = command("--help")
    assert told.returncode == 0 and "Usage: blindscope" in told.stdout
    wrong = command("no-such-verb")
    assert wrong.returncode == 2 and "no-such-verb" in wrong.stderr
