#!/usr/bin/env python3
"""Measures the Python package inside Flower and NVIDIA FLARE, beside what they do themselves, in one run.

    python3 bench/engines/run.py                 # a table; --json for machines
    python3 bench/engines/run.py --wheel W.whl   # this wheel instead of one that is built now (python/wheel)
    python3 bench/engines/run.py --only package  # one of the scripts beside this one, or several

Environments, one an engine, are kept under $XDG_CACHE_HOME/blindscope-peers (~/.cache/blindscope-peers). A figure whose script fails is
left out and named in `missing`; then the command ends with 1, as it does where a bar is missed.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = HERE.parents[1] / "python"
ENVIRONMENTS = {
    "engines-plain": ["numpy"],
    "engines-flower": ["flwr[simulation]==1.42.0", "numpy"],
    "engines-nvflare": ["nvflare==2.9.0", "numpy"],
    "nvflare-he": ["nvflare[he]==2.9.0", "numpy"],
}
# Script, environment, seconds that it may take.
SCRIPTS = {
    "package": ("engines-plain", 1200),
    "flower_round": ("engines-flower", 900),
    "nvflare_round": ("engines-nvflare", 900),
    "nvflare_he": ("nvflare-he", 900),
}


def environment(name, wheel):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "blindscope-peers" / name
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([*pip, *ENVIRONMENTS[name]], check=True)
    if name != "nvflare-he":
        subprocess.run([*pip, "--force-reinstall", "--no-deps", str(wheel)], check=True)
    return python


def measured(script, wheel):
    """What a script prints, or why it does not."""
    name, seconds = SCRIPTS[script]
    try:
        python = environment(name, wheel)
        done = subprocess.run([str(python), str(HERE / f"{script}.py")], capture_output=True, text=True, timeout=seconds)
    except (subprocess.SubprocessError, OSError) as wrong:
        return None, f"{script}: {wrong}"
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()
        return None, f"{script}: {said[-1]}"
    return json.loads(lines[-1]), None


def added(example):
    """Lines of an example that a user adds or changes for us: those outside its docstrings that name the package."""
    code = re.sub(r'""".*?"""', "", (PYTHON / "examples" / example).read_text(), flags=re.DOTALL)
    return sum("blindscope" in line for line in code.splitlines())


def quartiles(samples):
    return list(statistics.quantiles(samples, n=4))[::2] if len(samples) > 1 else [samples[0]] * 2


class Table:
    def __init__(self):
        self.figures, self.missing = [], []

    def put(self, figure, samples, unit, bar=None, aim=None, higher=False):
        samples = samples if isinstance(samples, list) else [samples]
        value = statistics.median(samples)
        better = (lambda a, b: a >= b) if higher else (lambda a, b: a <= b)
        row = {"figure": figure, "value": value, "unit": unit, "spread": quartiles(samples), "runs": len(samples)}
        if bar is not None:
            row |= {"bar": bar, "aim": aim, "holds": better(value, bar)}
        self.figures.append(row)

    def all(self, wheel, scripts):
        told = dict.fromkeys(SCRIPTS)
        for script in scripts:
            told[script], why = measured(script, wheel)
            if why:
                self.missing.append(why)
        self.put("lines_added_flower", added("flower_torch.py"), "lines", 10, 5)
        self.put("lines_added_nvflare", added("nvflare_job.py"), "lines", 10, 5)
        self.put("wheel", wheel.stat().st_size / 1e6, "MB", 40, 25)
        for script, put in (("package", self.package), ("flower_round", self.flower), ("nvflare_round", self.nvflare)):
            if told[script]:
                put(told[script])
        if told["package"] and told["nvflare_he"]:
            self.against_he(told["package"], told["nvflare_he"])
        return told["package"]["backend"] if told["package"] else "not measured"

    def package(self, told):
        self.put("import", told["import"], "s", 0.2, 0.1)
        self.put("upload_5m_over_f32", told["bytes_5m"] / 20e6, "x", 0.7, 0.6)
        self.put("sum_3x10m_python", told["python_10m"], "s wall")
        self.put("sum_3x10m_rust", told["rust_10m"], "s wall")
        self.put("sum_3x10m_python_over_rust", [s / told["rust_10m"] for s in told["python_10m"]], "x", 1.1, 1.1)

    def flower(self, told):
        self.put("flower_round_plain", told["plain"], "s wall")
        self.put("flower_round_encrypted", told["ours"], "s wall")
        self.put("flower_round_over_plain", told["ratio"], "x", 2.0, 1.2)

    def nvflare(self, told):
        self.put("nvflare_round_plain", told["plain"], "s wall")
        self.put("nvflare_round_encrypted", told["ours"], "s wall")
        self.put("nvflare_round_over_plain", told["ratio"], "x", 2.0, 1.2)

    def against_he(self, ours, theirs):
        self.put("nvflare_he_upload_1mb", theirs["upload_bytes"], "bytes")
        self.put("nvflare_he_over_our_upload", theirs["upload_bytes"] / ours["megabyte_bytes"], "x", 10, 10, higher=True)
        # The same work at both: a server reads three uploads as they came, adds them, and has what it sends back.
        self.put("nvflare_he_server_adds_1mb", theirs["aggregate"], "s wall")
        self.put("server_adds_1mb", ours["megabyte_add"], "s wall")
        mine = statistics.median(ours["megabyte_add"])
        self.put("nvflare_he_over_our_server", [s / mine for s in theirs["aggregate"]], "x", 5, 5, higher=True)
        # From the uploads to the mean in the clear. Theirs: one client decrypts with the key that all have. Ours: three sites check their
        # parts, sign the set, open it, and the server reads the sum; all in one process.
        whole = [add + open for add, open in zip(theirs["aggregate"], theirs["decrypt"])]
        self.put("nvflare_he_uploads_to_mean_1mb", whole, "s wall")
        self.put("uploads_to_mean_1mb", ours["megabyte_to_mean"], "s wall")
        mine = statistics.median(ours["megabyte_to_mean"])
        self.put("nvflare_he_over_our_uploads_to_mean", [s / mine for s in whole], "x")
        self.put("nvflare_he_encrypt_1mb", theirs["encrypt"], "s wall")
        self.put("upload_1mb", ours["megabyte_upload"], "s wall")


def built():
    told = subprocess.run([str(PYTHON / "wheel")], check=True, capture_output=True, text=True)
    return told.stdout.strip().splitlines()[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--wheel", help="measure this wheel")
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, default=list(SCRIPTS), help="run these scripts alone")
    options = parser.parse_args()
    wheel, table = pathlib.Path(options.wheel or built()), Table()
    backend = table.all(wheel, options.only)
    if options.json:
        print(json.dumps({"backend": backend, "figures": table.figures, "missing": table.missing}, indent=2))
    else:
        print(f"{backend}; median [quartiles]")
        for f in table.figures:
            low, high = f["spread"]
            holds = {True: "yes", False: "NO", None: ""}[f.get("holds")]
            print(f"{f['figure']:32} {f['value']:12.4g} {f['unit']:7} [{low:.4g}, {high:.4g}]  bar {f.get('bar', '-')!s:5} aim {f.get('aim', '-')!s:5} {holds}")
        for why in table.missing:
            print(f"not measured: {why}")
    sys.exit(1 if table.missing or any(f.get("holds") is False for f in table.figures) else 0)


if __name__ == "__main__":
    main()
