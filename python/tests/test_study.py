"""A study of three hospitals on this machine, from Python: submit, watch, download, predict."""

import json
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from blindscope import Backbone, BlindscopeError, Features, Head, Study
from blindscope.errors import JobFailed, StudyError, Unreachable

SITES = ["north", "east", "south"]


def command(*arguments):
    done = subprocess.run([sys.executable, "-m", "blindscope", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def service(folder, *arguments):
    with open(folder / f"{arguments[0]}-{len(list(folder.glob('*.log')))}.log", "wb") as log:
        return subprocess.Popen([sys.executable, "-m", "blindscope", *map(str, arguments)], stdout=log, stderr=log)


def rows(backbone, seed, n=90):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    centres = np.random.default_rng(5).normal(0, 2, (3, backbone.width))
    names = ["glands", "pearls", "septa"]
    return Features.from_arrays(
        centres[y] + rng.normal(0, 1, (n, backbone.width)), labels=[names[i] for i in y], classes=names, backbone=backbone.digest
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study whose services run; a clinic may ask its job `head`."""
    folder, backbone = tmp_path_factory.mktemp("study"), Backbone.small(seed=3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "project.toml").write_text(
        f'name = "from-python"\naddress = "127.0.0.1:{port}"\nclasses = ["glands", "pearls", "septa"]\nwidth = {backbone.width}\n'
        f'backbone = "{backbone.digest}"\nsites = {json.dumps(SITES)}\nadmins = ["office"]\naskers = ["clinic"]\nthreshold = 2\n'
        f'minimum_cohort = 3\n[inference]\njobs = ["head"]\n'
    )
    kits = folder / "kits"
    command("provision", folder / "project.toml", "--out", kits, "--all-local")
    for seed, site in enumerate(SITES):
        rows(backbone, seed).save(kits / site / "train.safetensors")
        command("site", "init", "--kit", kits / site, "--train", "train.safetensors")
    running = [service(folder, "coordinator", "serve", "--kit", kits / "coordinator")]
    running += [service(folder, "site", "run", "--kit", kits / site) for site in SITES]
    wait_for(Study(kits / "office"))
    yield kits
    for process in reversed(running):
        process.terminate()
    for process in running:
        process.wait(20)


def wait_for(office):
    end = time.monotonic() + 60
    while True:
        try:
            return office.jobs()
        except Unreachable:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


HEAD = {"name": "head", "kind": "fedavg", "settings": {"rounds": 2, "hidden": 8, "folds": 0}}


@pytest.fixture(scope="module")
def head(study):
    office = Study(study / "office")
    job = office.submit(HEAD)
    return office.watch(job)


def test_a_job_is_submitted_watched_and_downloaded(study, tmp_path):
    office, seen = Study(study / "office"), []
    assert office.name == "from-python" and office.classes == ["glands", "pearls", "septa"] and len(office.digest) == 64
    job = office.submit(HEAD)
    again = office.submit(HEAD)
    assert again.id == job.id
    done = office.watch(job, progress=seen.append)
    assert done.state == "done" and done.is_over and seen[-1].state == "done" and seen[-1].name == "head"
    assert office.download("head", tmp_path / "head.json") == len(office.result(job)) > 1000
    assert (tmp_path / "head.json").read_bytes() == office.result("head")
    assert [one.name for one in office.jobs()] == ["head"]
    assert sorted(site["name"] for site in office.sites()) == sorted(SITES)
    verdict = office.log(tmp_path / "log.jsonl")
    assert verdict["jobs"][0] == 1 and verdict["records"] == len((tmp_path / "log.jsonl").read_text().splitlines())


def test_a_clinic_asks_and_gets_what_the_head_says(study, head):
    clinic, asked = Study(study / "clinic"), rows(Backbone.small(seed=3), 9, n=12)
    answer = clinic.predict("head", asked)
    path = study / "head-of-the-study.json"
    Study(study / "office").download("head", path)
    clear = Head.load(path, classes=clinic.classes)
    np.testing.assert_allclose(answer.logits, clear.logits(asked.x), atol=2**-8)
    assert (answer.labels == clear.predict(asked.x)).all() and len(answer) == 12


def test_what_goes_wrong_is_of_one_family(study, head, tmp_path):
    office, clinic = Study(study / "office"), Study(study / "clinic")
    for call in (
        lambda: office.status("no-such-job"),
        lambda: office.submit({"name": "x", "kind": "no-such-kind"}),
        lambda: office.submit(tmp_path / "missing.toml"),
        lambda: Study(tmp_path),
        lambda: clinic.submit(HEAD),
        lambda: clinic.predict("no-such-job", rows(Backbone.small(seed=3), 1, n=2)),
        lambda: clinic.predict("head", rows(Backbone.small(seed=4), 1, n=2)),
    ):
        with pytest.raises(StudyError) as refused:
            call()
        assert isinstance(refused.value, BlindscopeError) and len(str(refused.value)) > 20
    with pytest.raises(Unreachable):
        Study(study / "office", settings={"coordinator": "127.0.0.1:1"}).jobs()


def test_a_job_that_is_aborted_has_failed_with_a_sentence(study, head):
    office = Study(study / "office")
    job = office.submit({**HEAD, "name": "long", "settings": {"rounds": 50, "hidden": 8, "folds": 0}})
    assert office.abort(job).state == "failed"
    with pytest.raises(JobFailed, match="long"):
        office.watch(job)


def test_what_the_callback_raises_ends_the_watching_and_other_threads_run(study, head):
    office, ticks = Study(study / "office"), []

    def stop(job):
        raise RuntimeError("seen enough")

    job = office.submit({**HEAD, "name": "watched", "settings": {"rounds": 3, "hidden": 8, "folds": 0}})
    done = threading.Event()
    beside = threading.Thread(target=lambda: [ticks.append(time.monotonic()) or time.sleep(0.01) for _ in iter(done.is_set, True)])
    beside.start()
    try:
        with pytest.raises(RuntimeError, match="seen enough"):
            office.watch(job, progress=stop)
        assert office.watch(job).state == "done"
    finally:
        done.set()
        beside.join()
    assert max(np.diff(ticks)) < 0.5  # no call held the interpreter
