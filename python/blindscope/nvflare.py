"""Encrypted averaging for NVIDIA FLARE (nvflare 2.9).

A job:

    recipe = blindscope.nvflare.EncryptedFedAvgRecipe(
        roster="/etc/blindscope/roster.json", site="/etc/blindscope/{site}",
        model=start, min_clients=3, num_rounds=5, train_script="client.py", clip=1.0)

It is FLARE's FedAvg for numpy models; `encrypted(Recipe)` makes the same of another FedAvg recipe. `{site}` is the client's name in FLARE.
A filter on each client turns what the script trained into an upload; an aggregator on the server names the set, has it agreed and opened
by aux messages, and reads the sum, nothing else. Metrics and numbers of steps travel inside the sum or not at all.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Optional

import numpy as np
from nvflare.apis.dxo import DXO, DataKind, MetaKey
from nvflare.apis.dxo_filter import DXOFilter
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.app_common.abstract.fl_model import FLModel, ParamsType
from nvflare.app_common.aggregators.model_aggregator import ModelAggregator
from nvflare.app_common.np.recipes.fedavg import NumpyFedAvgRecipe
from nvflare.client.config import TransferType

from . import Roster, SumServer, SumSite
from .errors import BlindscopeError, SumError
from .rounds import Blobs, Course, answer
from .updates import Coding, MeanUpdate, UpdateCodec

# Names of our aux messages, and of what we put into FLARE's.
RUN, STEP, KEY = "blindscope.run", "blindscope.step", "blindscope"


class EncryptingFilter(DXOFilter):
    """Turns a client's weight difference into an upload, and answers the steps that follow.

    Put it among a client's result filters: by the recipe, or by the site's own `local/privacy.json`, where no job removes it. Any result
    that is not a weight difference is refused, so nothing leaves in the clear.

    site: folder that `SumSite.enrol` made; `{site}` stands for the client's name
    roster: the roster's file
    """

    def __init__(self, site: str, roster: str):
        super().__init__(supported_data_kinds=[kind.value for kind in DataKind], data_kinds_to_filter=None)
        self.site, self.roster = site, roster
        self._ours: Optional[SumSite] = None

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        if event_type == EventType.START_RUN:
            fl_ctx.get_engine().register_aux_message_handler(STEP, self._step)
        elif event_type == EventType.END_RUN:
            self._ours = None

    def _opened(self, fl_ctx: FLContext) -> SumSite:
        if self._ours is None:
            fields = {"site": fl_ctx.get_identity_name()}
            roster = Roster.from_bytes(Path(self.roster.format_map(fields)).read_bytes())
            self._ours = SumSite(Path(self.site.format_map(fields)), roster)
        return self._ours

    def process_dxo(self, dxo: DXO, shareable: Shareable, fl_ctx: FLContext) -> DXO:
        if dxo.data_kind != DataKind.WEIGHT_DIFF:
            raise SumError(
                f"a result of kind {dxo.data_kind} would leave in the clear; send weights with params_transfer_type=TransferType.DIFF"
            )
        names = sorted(dxo.data)
        arrays = [np.asarray(dxo.data[name]) for name in names]
        shapes = [list(a.shape) for a in arrays]
        told = self._run(fl_ctx)
        codec = UpdateCodec(shapes, **told["coding"])
        spec = _spec(told["run"], int(told["number"]), codec)
        examples = float(dxo.get_meta_prop(MetaKey.NUM_STEPS_CURRENT_ROUND, 1))
        values = codec.encode(arrays, examples, dxo.get_meta_prop(MetaKey.INITIAL_METRICS, {}) or {})
        ours = self._opened(fl_ctx)
        upload = ours.upload(spec, values, f"{spec['job']}/{spec['number']}")
        said = json.dumps({"site": ours.number, "names": names, "shapes": shapes})
        return DXO(DataKind.WEIGHT_DIFF, data={KEY: np.frombuffer(upload, dtype=np.uint8)}, meta={KEY: said})

    def _run(self, fl_ctx: FLContext) -> Shareable:
        """The server's name of this run (a job that is run again makes new rounds), its round, and how updates become integers."""
        replies = fl_ctx.get_engine().send_aux_request(
            targets=["server"], topic=RUN, request=Shareable(), timeout=30.0, fl_ctx=fl_ctx
        )
        told = next(iter(replies.values()), Shareable()) if replies else Shareable()
        if not (isinstance(told.get("run"), str) and isinstance(told.get("number"), int) and isinstance(told.get("coding"), dict)):
            raise SumError("the server does not answer which round this is; it must use blindscope.nvflare.SumAggregator")
        return told

    def _step(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        reply = make_reply(ReturnCode.OK)
        try:
            ours = self._opened(fl_ctx)
            reply["answer"] = answer(ours, dict(request["spec"]), request["step"], request["blobs"], request.get("of"))
        except (BlindscopeError, KeyError, TypeError) as refused:
            self.log_error(fl_ctx, f"step {request.get('step')!r} is refused: {refused}")
            return make_reply(ReturnCode.EXECUTION_EXCEPTION)
        return reply


class SumAggregator(ModelAggregator):
    """Reads the sum of a round's uploads and returns its mean as a weight difference.

    roster: the roster's file
    clip: size to which a client's change of a number is clipped
    bits: of an integer
    most_examples: the largest weight of a client; learned from the rounds before unless given
    metrics: names of metrics that are averaged inside the sum; others never leave a client
    timeout: seconds for each step after training
    """

    def __init__(self, roster: str, clip: float = 1.0, bits: int = 16, most_examples: Optional[int] = None,
                 metrics: Optional[list] = None, timeout: float = 600.0):
        super().__init__()
        # FLARE writes constructor arguments into the job by these names.
        self.roster, self.clip, self.bits, self.most_examples = roster, clip, bits, most_examples
        self.metrics, self.timeout = list(metrics or []), timeout
        self._coding = Coding(clip, bits, most_examples, self.metrics)
        self._course = Course(self.warning)
        self._number = -1
        self._run = uuid.uuid4().hex
        self._results: list[FLModel] = []

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        super().handle_event(event_type, fl_ctx)
        if event_type == EventType.START_RUN:
            self._run = f"{fl_ctx.get_job_id()}/{uuid.uuid4().hex}"
            fl_ctx.get_engine().register_aux_message_handler(RUN, self._tell_run)

    def _tell_run(self, topic: str, request: Shareable, fl_ctx: FLContext) -> Shareable:
        reply = make_reply(ReturnCode.OK)
        codec = self._coding.codec(())
        reply["run"], reply["number"] = self._run, self._number
        reply["coding"] = {"clip": codec.clip, "bits": codec.bits, "most_examples": codec.most_examples, "metrics": list(codec.metrics)}
        return reply

    def reset_stats(self) -> None:
        """A round begins."""
        self._results = []
        self._number += 1

    def accept_model(self, model: FLModel) -> None:
        self._results.append(model)

    def aggregate_model(self) -> FLModel:
        if not self._results:
            raise SumError("no client has sent an upload")
        told = [json.loads(result.meta[KEY]) for result in self._results if KEY in (result.meta or {})]
        if not told:
            raise SumError("the results are no uploads; every client needs blindscope.nvflare.EncryptingFilter")
        names, shapes = told[0]["names"], told[0]["shapes"]
        codec = self._coding.codec(shapes)
        try:
            mean = self._sum(codec)
        except BlindscopeError as lost:
            # The model stays as it is, and the next round goes on.
            self.error(f"round {self._number} is lost: {lost}")
            zeros = {name: np.zeros(shape) for name, shape in zip(names, shapes)}
            return FLModel(params_type=ParamsType.DIFF, params=zeros, meta={f"{KEY}.lost": str(lost)})
        meta = {f"{KEY}.sites": mean.sites, f"{KEY}.clipped": mean.clipped, f"{KEY}.examples": mean.examples}
        params = dict(zip(names, mean.arrays))
        return FLModel(params_type=ParamsType.DIFF, params=params, metrics=mean.metrics or None, meta=meta)

    def _sum(self, codec: UpdateCodec) -> MeanUpdate:
        spec = _spec(self._run, self._number, codec)
        server = SumServer(Roster.from_bytes(Path(self.roster).read_bytes()), spec)
        clients: dict[int, str] = {}
        for result in self._results:
            name = (result.meta or {}).get("client_name", "?")
            try:
                site = int(json.loads(result.meta[KEY])["site"])
                server.take(site, np.asarray(result.params[KEY], dtype=np.uint8).tobytes())
                clients[site] = name
            except (BlindscopeError, KeyError, ValueError, TypeError, OverflowError) as wrong:
                self.warning(f"client {name}: its upload cannot be used: {wrong}")

        def ask(step: str, told: Mapping[int, Blobs], of: Optional[int]) -> Iterable[list]:
            return self._ask(spec, clients, step, told, of)

        sums, sites = self._course.finish(server, ask)
        mean = codec.decode(sums, len(sites))
        self._coding.learn(mean)
        return mean

    def _ask(self, spec: dict, clients: dict[int, str], step: str, told: Mapping[int, Blobs], of: Optional[int]) -> Iterable[list]:
        engine, topic, timeout, fl_ctx = self.fl_ctx.get_engine(), STEP, self.timeout, self.fl_ctx

        def one(client: str, blobs: Blobs) -> Shareable:
            # One request a client: multicast_aux_requests of 2.9 passes an argument that its own transport refuses.
            request = Shareable({"spec": spec, "step": step, "blobs": dict(blobs), "of": of})
            replies = engine.send_aux_request(targets=[client], topic=topic, request=request, timeout=timeout, fl_ctx=fl_ctx)
            return next(iter(replies.values()), make_reply(ReturnCode.COMMUNICATION_ERROR))

        with ThreadPoolExecutor(max_workers=max(1, min(32, len(told)))) as threads:
            asked = {threads.submit(one, clients[site], blobs): clients[site] for site, blobs in told.items()}
            for done in as_completed(asked):
                reply, name = done.result(), asked[done]
                said = reply.get("answer") if reply.get_return_code() == ReturnCode.OK else None
                if isinstance(said, list) and all(isinstance(one, bytes) for one in said):
                    yield said
                else:
                    self.warning(f"client {name} does not answer `{step}`: {reply.get_return_code()}")


def _spec(run: str, number: int, codec: UpdateCodec) -> dict:
    return {"job": run, "number": number, "values": codec.values, "max": codec.max}


def encrypted(recipe: type) -> type:
    """A FedAvg recipe of FLARE whose averages are sums that nobody sees the parts of. Beside the recipe's own arguments it takes `roster`,
    `site` as `EncryptingFilter` has it, and `clip`, `bits`, `most_examples`, `metrics` and `timeout`, as `SumAggregator` has them.

    survivors: FLARE ends a job once fewer clients than this are alive, in the middle of a round too; `min_clients` unless given. A sum
    needs a majority of the roster's sites and its colluders after the uploads, not every client.
    """

    class Encrypted(recipe):
        def __init__(self, *, roster: str, site: str, clip: float = 1.0, bits: int = 16,
                     most_examples: Optional[int] = None, metrics: Iterable[str] = (), timeout: float = 600.0,
                     survivors: Optional[int] = None, **arguments: Any):
            if arguments.get("aggregator") is not None:
                raise SumError("another aggregator would look at single updates, which nobody sees under encryption")
            coding = {"clip": clip, "bits": bits, "most_examples": most_examples, "metrics": list(metrics), "timeout": timeout}
            arguments["params_transfer_type"] = TransferType.DIFF
            super().__init__(aggregator=SumAggregator(roster, **coding), **arguments)
            if survivors is not None:
                self._job.job.min_clients = survivors
            # The package is installed at the parties; a copy of its Python half in the job would hide it.
            self._job.set_app_packages(["blindscope"])
            self.add_client_output_filter(EncryptingFilter(site, roster), tasks=["train"])

    Encrypted.__name__ = Encrypted.__qualname__ = f"Encrypted{recipe.__name__}"
    return Encrypted


EncryptedFedAvgRecipe = encrypted(NumpyFedAvgRecipe)
