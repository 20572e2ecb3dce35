"""The `blindscope` command that the wheel installs: the Rust one, carried by the extension."""

import sys

from . import _native


def main() -> None:
    sys.exit(_native.command(["blindscope", *sys.argv[1:]]))
