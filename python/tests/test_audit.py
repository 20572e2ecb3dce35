"""The audit from Python: what attacks reach, pictures, a stop."""

import json

import pytest

from blindscope import Audit
from blindscope.errors import BlindscopeError, DataError


def test_a_quick_audit_finds_the_image_behind_a_clear_gradient_and_nothing_behind_ciphertexts(tmp_path):
    told = []
    audit = Audit(attacks=["gradient"], images=2, quick=True, out=tmp_path)
    report = audit.run(progress=lambda *at: told.append(at))
    assert told and all(0 <= done <= total for _, done, total in told)
    clear = [cell for cell in report.cells if cell["view"] == "clear" and cell["figure"] == "PSNR"]
    hidden = [cell for cell in report.cells if cell["view"] == "ciphertext"]
    assert max(cell["found"]["mean"] for cell in clear) > 60 and hidden
    assert not set(report.leaks) & {cell["key"] for cell in hidden} and report.leaks and report.conclusions
    report.save()
    assert json.loads((tmp_path / "audit.json").read_text())["cells"] == report.report()["cells"]
    assert "<html" in (tmp_path / "report.html").read_text()[:500].lower() and list(tmp_path.glob("*.png"))
    # The finished stage is taken from the folder.
    assert audit.run().cells == report.cells


def test_what_the_callback_raises_stops_the_audit():
    def stop(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        Audit(attacks=["gradient"], images=2, quick=True).run(progress=stop)


def test_refusals(tmp_path):
    assert "search" in Audit.ATTACKS
    with pytest.raises(DataError, match="gradient"):
        Audit(attacks=["gradients"])
    with pytest.raises(DataError):
        Audit(images=0)
    with pytest.raises(BlindscopeError):
        Audit(tmp_path / "missing", attacks=["gradient"], images=2, quick=True).run()
