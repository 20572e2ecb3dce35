"""The stubs say what the extension has, and the package says of itself what a user may rely on."""

import pickle
import subprocess
import sys

import pytest

import blindscope
from blindscope import errors


def test_stubs_are_those_of_the_extension():
    pytest.importorskip("mypy", reason="mypy is not installed; pip install mypy")
    told = subprocess.run([sys.executable, "-m", "mypy.stubtest", "blindscope._native", "--ignore-disjoint-bases"], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-2000:]


def test_errors_are_one_family():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) >= 10 and all(issubclass(kind, blindscope.BlindscopeError) for kind in kinds)


def test_everything_public_is_documented():
    for name in blindscope.__all__:
        thing = getattr(blindscope, name)
        if isinstance(thing, type):
            members = [m for n, m in vars(thing).items() if not n.startswith("_") and (callable(m) or isinstance(m, property))]
            assert thing.__doc__ and all(member.__doc__ for member in members), name
