"""Encrypted averaging on a Flower superlink with supernodes: processes and sockets of their own, one of them killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("flwr", reason="flwr is not installed; pip install flwr==1.42.0")

from test_flower import enrolled, expected
from training import start

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Federation:
    """A superlink, and the supernodes that joined it, each in a process group that ends with the test."""

    def __init__(self, folder: Path):
        self.folder, self.port = folder, free_port()
        (folder / "home").mkdir()
        link = f'[superlink]\ndefault = "tests"\n\n[superlink.tests]\naddress = "127.0.0.1:{self.port}"\ninsecure = true\n'
        (folder / "home" / "config.toml").write_text(link)
        self.environment = {
            **os.environ,
            "FLWR_HOME": str(folder / "home"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PYTHONPATH": str(HERE),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        self.processes: dict = {}
        self.begin("superlink", "flower-superlink", "--insecure", "--disable-runtime-dependency-installation",
                   "--host", "127.0.0.1", "--port", str(self.port))
        self.wait_for(self.port)

    def begin(self, name: str, *command: str) -> subprocess.Popen:
        with open(self.folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)
        self.processes[name] = process
        return process

    def wait_for(self, port: int) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise TimeoutError(f"nothing listens on {port}:\n{self.logs()}")

    def join(self, name: str, **config) -> None:
        """A supernode with this configuration."""
        pid = self.folder / f"{name}.pid"
        told = {**config, "pid-file": str(pid)}
        text = " ".join(f"{key}={json.dumps(value)}" for key, value in told.items())
        process = self.begin(name, "flower-supernode", "--insecure", "--superlink", f"127.0.0.1:{self.port}",
                             "--port", str(free_port()), "--node-config", text)
        pid.write_text(str(process.pid))

    def run(self, **config) -> subprocess.CompletedProcess:
        text = " ".join(f"{key}={json.dumps(value)}" for key, value in config.items())
        return subprocess.run(["flwr", "run", str(HERE / "flower_app"), "tests", "--stream", "--run-config", text],
                              env=self.environment, capture_output=True, text=True, timeout=300)

    def end(self, name: str) -> None:
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def logs(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in self.folder.glob("*.log"))


@pytest.fixture(scope="module")
def federation(tmp_path_factory):
    federation = Federation(tmp_path_factory.mktemp("superlink"))
    yield federation
    for name in reversed(list(federation.processes)):
        federation.end(name)


def averaged(federation, tmp_path, sites, rounds, **of_last) -> tuple:
    """Arrays and metrics of a run with so many hospitals."""
    enrolled(tmp_path, sites)
    roster = str(tmp_path / "roster.json")
    names = [f"{tmp_path.name}-{i}" for i in range(sites)]
    for i, name in enumerate(names):
        more = of_last if i == sites - 1 else {}
        federation.join(name, **{"partition-id": i, "blindscope": str(tmp_path / f"site-{i}"), "roster": roster, **more})
    out = tmp_path / "out"
    told = federation.run(roster=roster, out=str(out), sites=sites, rounds=rounds)
    assert out.exists(), f"{told.stdout[-3000:]}{told.stderr[-3000:]}\n{federation.logs()}"
    for name in names:
        federation.end(name)
    with np.load(out.with_suffix(".npz")) as arrays:
        return [arrays[name] for name in arrays.files], json.loads(out.read_text())


def test_three_supernodes_give_the_sum_in_the_clear(federation, tmp_path):
    arrays, told = averaged(federation, tmp_path, sites=3, rounds=1)
    mean = expected(1)
    np.testing.assert_array_equal(arrays[0], start()[0] + mean.arrays[0])
    assert told["1"]["sites"] == 3 and "secret" not in told["1"]
    assert abs(told["1"]["loss"] - mean.metrics["loss"]) < 1e-6


def test_a_supernode_that_is_killed_after_its_upload_is_in_the_sum(federation, tmp_path):
    arrays, told = averaged(federation, tmp_path, sites=4, rounds=1, **{"dies-in": 1})
    np.testing.assert_array_equal(arrays[0], start()[0] + expected(1, range(4)).arrays[0])
    assert told["1"]["sites"] == 4
