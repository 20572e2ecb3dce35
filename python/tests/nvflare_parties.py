"""Parties of the tests on NVIDIA FLARE that do not do what they should. The engine finds them by their names in the job."""

import os
import signal
from pathlib import Path

from nvflare.apis.dxo import DXO
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable

from blindscope.nvflare import KEY, EncryptingFilter, SumAggregator

LAST = "site-4"


class LyingFilter(EncryptingFilter):
    """Sends, in the first round and from the last site, other bytes than it signed for."""

    def process_dxo(self, dxo: DXO, shareable: Shareable, fl_ctx: FLContext) -> DXO:
        out = super().process_dxo(dxo, shareable, fl_ctx)
        if fl_ctx.get_identity_name() == LAST and not getattr(self, "lied", False):
            self.lied = True
            upload = out.data[KEY].copy()
            upload[len(upload) // 3] ^= 1
            out.data[KEY] = upload
        return out


class KilledFilter(EncryptingFilter):
    """Ends the last site's machine, as a power cut would, between its upload and what follows: the job's process and FLARE's client
    above it, which would otherwise report the death, and FLARE would end the job for all."""

    def _step(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        if fl_ctx.get_identity_name() == LAST:
            above = os.getppid()
            while b"client_train" not in Path(f"/proc/{above}/cmdline").read_bytes():
                above = int(Path(f"/proc/{above}/stat").read_text().rsplit(")", 1)[1].split()[1])
            os.kill(above, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._step(topic, request, fl_ctx)


class AskingTwice(SumAggregator):
    """Sums the second round without one site first, then with it: the difference would be that site's update."""

    def _sum(self, codec):
        if self._number == 1:
            everybody = self._results
            self._results = everybody[:-1]
            without = super()._sum(codec)
            self.warning(f"the sum without one site is known, of {without.sites}")
            self._results = everybody
        return super()._sum(codec)
