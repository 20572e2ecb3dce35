#!/usr/bin/env python3
"""Installs the peers of `blindscope bench`: one virtual environment each, in the cache folder where the bench looks for them.

    python3 bench/peers/setup.py                    # all: TenSEAL, OpenFHE, scikit-learn, ONNX Runtime, OpenSlide
    python3 bench/peers/setup.py tenseal            # one of them

TenSEAL 0.3.18's wheels are for CPython 3.11 and later, OpenFHE's for 3.10 alone, so no one interpreter serves both. They are
looked for on PATH, under pyenv (PYENV_ROOT or ~/.pyenv) and through `uv python find`. What is installed already is left alone.
Ends with an error, and says which interpreter is missing, if a peer could not be installed.
"""
import os
import pathlib
import shutil
import subprocess
import sys

# name: (CPython versions to try in order, packages, the import that has to work)
PEERS = {
    "tenseal": (["3.11", "3.12"], ["tenseal==0.3.18", "numpy"], "import tenseal, tenseal.sealapi, numpy"),
    "sklearn": (["3.11", "3.12"], ["scikit-learn", "numpy"], "import sklearn, numpy"),
    "openfhe": (["3.10"], ["openfhe==1.6.1.*", "numpy"], "import openfhe, numpy"),
    "onnx": (["3.11", "3.12"], ["onnxruntime", "onnx", "numpy"], "import onnxruntime, onnx, numpy"),
    "slides": (
        ["3.11", "3.12"],
        ["openslide-python", "openslide-bin==4.0.1.*", "pillow", "numpy"],
        "import openslide, PIL, numpy; assert openslide.__library_version__ == '4.0.1'",
    ),
}


def environments():
    cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(cache) / "blindscope-peers"


def runs(python, version):
    """Whether `python` is CPython of this version."""
    ask = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run([str(python), "-c", ask], capture_output=True, text=True, timeout=60)
    except OSError:
        return False
    return answer.stdout.split() == ["cpython", version]


def candidates(version):
    yield shutil.which(f"python{version}")
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv") / "versions"
    patch = lambda path: [int(part) for part in path.name.split(".") if part.isdigit()]
    for folder in sorted(pyenv.glob(f"{version}.*"), key=patch, reverse=True):
        yield folder / "bin" / "python"
    if uv := shutil.which("uv"):
        found = subprocess.run([uv, "python", "find", version], capture_output=True, text=True)
        yield found.stdout.strip()
    yield sys.executable


def interpreter(versions):
    for version in versions:
        for python in candidates(version):
            if python and runs(python, version):
                return python
    return None


def works(python, test):
    return python.exists() and subprocess.run([str(python), "-c", test], capture_output=True).returncode == 0


def install(name):
    versions, packages, test = PEERS[name]
    folder = environments() / name
    python = folder / "bin" / "python"
    if works(python, test):
        return f"{name}: {python}"
    base = interpreter(versions)
    if base is None:
        wanted = " or ".join(versions)
        raise SystemExit(f"{name}: needs CPython {wanted}; none on PATH, under pyenv or known to uv. Install it and run this again.")
    subprocess.run([str(base), "-m", "venv", "--clear", str(folder)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", *packages], check=True)
    if not works(python, test):
        raise SystemExit(f"{name}: installed, but `{test}` fails in {folder}")
    return f"{name}: {python}"


def main():
    names = sys.argv[1:] or list(PEERS)
    if unknown := [name for name in names if name not in PEERS]:
        raise SystemExit(f"no peer is called {unknown[0]}; there are {', '.join(PEERS)}")
    failed = []
    for name in names:
        try:
            print(install(name), flush=True)
        except SystemExit as why:
            failed.append(str(why))
        except subprocess.CalledProcessError as why:
            failed.append(f"{name}: {why}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
