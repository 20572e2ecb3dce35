"""Encrypted averaging for Flower's message API (flwr 1.42).

Client (`site` names the folder that `SumSite.enrol` made; fields of the node's configuration stand in braces):

    app = ClientApp(mods=[blindscope.flower.mod(site="sites/{partition-id}", roster="roster.json")])

Server:

    strategy = blindscope.flower.Encrypted(FedAvg(), roster="roster.json", clip=1.0)

A round has three messages a site: training with the upload, agreement, opening. The server sees ciphertexts, and the sum that enough
sites agreed to open. Flower carries bytes; what may be said when is decided at the sites, on their disks.
"""

from __future__ import annotations

import collections
import itertools
import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from logging import INFO, WARNING
from pathlib import Path
from typing import Any, Optional

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.common.logger import log
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg, FedAdagrad, FedAdam, FedAvgM, FedProx, FedYogi, Result
from flwr.serverapp.strategy.strategy import Strategy

from . import Roster, SumServer, SumSite
from ._prompt import Prompt
from .errors import BlindscopeError, SumError
from .rounds import Blobs, Course, answer
from .updates import Coding, UpdateCodec

# Under this name stand our records in Flower's messages.
KEY = "blindscope"
SERVED = (FedAvg, FedProx, FedAdam, FedYogi, FedAdagrad, FedAvgM)


def _array(data: bytes) -> Array:
    return Array(dtype="uint8", shape=(len(data),), stype=KEY, data=data)


def _blobs(content: RecordDict, name: str) -> list[bytes]:
    """The byte strings that stand under `name`, in order."""
    arrays = content.array_records.get(f"{KEY}.{name}")
    return [] if arrays is None else [arrays[str(i)].data for i in range(len(arrays))]


def _with_blobs(content: RecordDict, **lists: list[bytes]) -> RecordDict:
    for name, blobs in lists.items():
        content[f"{KEY}.{name}"] = ArrayRecord({str(i): _array(bytes(b)) for i, b in enumerate(blobs)})
    return content


def mod(site: str, roster: str, *, weighted_by_key: str = "num-examples") -> Callable[..., Message]:
    """A client mod that encrypts what the app trained. Messages without a round of ours pass through untouched, unless they ask for
    training or evaluation: a reply in the clear is refused.
    """

    def encrypted(message: Message, context: Any, call_next: Callable[..., Message]) -> Message:
        asked = message.content.config_records.get(KEY) if message.has_content() else None
        if asked is None:
            if message.metadata.message_type.split(".")[0] in (MessageType.TRAIN, MessageType.EVALUATE):
                raise SumError("the server asks for an update in the clear; it must use blindscope.flower.Encrypted")
            return call_next(message, context)
        fields = {name: str(value) for name, value in context.node_config.items()}
        folder = Path(site.format_map(fields))
        ours = SumSite(folder, Roster.from_bytes(Path(roster.format_map(fields)).read_bytes()))
        if asked["step"] == "upload":
            reply = _upload(ours, asked, message, context, call_next, weighted_by_key)
        elif asked["step"] == "evaluate":
            call_next(_without_ours(message), context)
            reply = RecordDict()
        else:
            names = ("headers", "bundle", "commitment", "bodies", "body", "agreements", "vouches")
            blobs = {name: _blobs(message.content, name) for name in names}
            said = answer(ours, _spec(asked), str(asked["step"]), blobs, asked.get("of"))
            reply = _with_blobs(RecordDict(), answer=said)
        reply[KEY] = ConfigRecord({"site": ours.number})
        return Message(reply, reply_to=message)

    return encrypted


def _without_ours(message: Message) -> Message:
    """The message as the app knows it."""
    message.content = RecordDict({name: record for name, record in message.content.items() if name != KEY})
    return message


def _spec(asked: ConfigRecord) -> dict:
    return {"job": asked["job"], "number": asked["number"], "values": asked["values"], "max": asked["max"]}


def _upload(ours: SumSite, asked: ConfigRecord, message: Message, context: Any, call_next: Callable[..., Message],
            weighted_by_key: str) -> RecordDict:
    codec = UpdateCodec(**json.loads(str(asked["codec"])))
    spec = _spec(asked)
    if (spec["values"], spec["max"]) != (codec.values, codec.max):
        raise SumError("the server's round and its codec do not agree")
    # Training may change what it was given.
    start = [[np.array(a.numpy()) for a in record.values()] for record in message.content.array_records.values()]
    answer = call_next(_without_ours(message), context)
    if answer.has_error():
        return RecordDict()
    trained = [a.numpy() for record in answer.content.array_records.values() for a in record.values()]
    metrics = next(iter(answer.content.metric_records.values()), MetricRecord())
    if weighted_by_key not in metrics:
        raise SumError(f"the app's reply has no metric `{weighted_by_key}`, the weight of its update")
    before = [a for record in start for a in record] if codec.shapes else []
    differences = [np.asarray(new, np.float64) - old for new, old in zip(trained, before)] if codec.shapes else []
    if len(trained) != len(before) and codec.shapes:
        raise SumError(f"the app returned {len(trained)} arrays for {len(before)}")
    values = codec.encode(differences, float(metrics[weighted_by_key]), metrics)
    upload = ours.upload(spec, values, f"{spec['job']}/{spec['number']}")
    return _with_blobs(RecordDict(), upload=[upload])


class Encrypted(Strategy):
    """A strategy whose averages are sums that nobody sees the parts of.

    strategy: FedAvg, FedProx, FedAdam, FedYogi, FedAdagrad or FedAvgM; others need single updates, and are refused
    roster: the roster's file, as each site has it
    clip: size to which a site's change of a number is clipped; how much was clipped is a metric, `clipped`
    bits: of an integer
    most_examples: the largest weight of a site; learned from the rounds before unless given
    train_metrics, evaluate_metrics: names of metrics that are averaged inside the sum; others never leave a site
    timeout: seconds for each message after training
    """

    def __init__(self, strategy: FedAvg, *, roster: Any, clip: float = 1.0, bits: int = 16, most_examples: Optional[int] = None,
                 train_metrics: Iterable[str] = (), evaluate_metrics: Iterable[str] = (), timeout: float = 600.0):
        if type(strategy) not in SERVED:
            served = ", ".join(kind.__name__ for kind in SERVED)
            raise SumError(
                f"{type(strategy).__name__} looks at single updates, which nobody sees under encryption; {served} are served"
            )
        self.inner = strategy
        self.roster = Roster.from_bytes(Path(roster).read_bytes())
        self.clip, self.bits, self.timeout = clip, bits, timeout
        metrics = {MessageType.TRAIN: train_metrics, MessageType.EVALUATE: evaluate_metrics}
        self._coding = {kind: Coding(clip, bits, most_examples, tuple(names)) for kind, names in metrics.items()}
        self.course = Course(lambda text: log(WARNING, "%s", text))
        self.run = uuid.uuid4().hex
        self._grid: Optional[Grid] = None
        self._arrays: Optional[ArrayRecord] = None
        self._asked: dict[str, tuple[dict, UpdateCodec]] = {}

    def start(self, grid: Grid, *arguments: Any, **more: Any) -> Result:
        """All rounds, as Flower's own `start`."""
        return super().start(Prompt(grid), *arguments, **more)

    def summary(self) -> None:
        """Log what is averaged how."""
        self.inner.summary()
        log(INFO, "\t├──> Encrypted: %s, changes clipped to %s, %s bits", self.roster, self.clip, self.bits)

    def configure_train(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Iterable[Message]:
        """The inner strategy's messages, with the round that they are for."""
        self._grid, self._arrays = grid, arrays.copy()
        shapes = tuple(tuple(a.shape) for a in arrays.values())
        return self._asking(MessageType.TRAIN, server_round, shapes, self.inner.configure_train(server_round, arrays, config, grid))

    def configure_evaluate(self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> Iterable[Message]:
        """Likewise; what comes back is metrics alone. Where none are to be averaged the apps evaluate, and nothing comes back."""
        self._grid = grid
        messages = self.inner.configure_evaluate(server_round, arrays, config, grid)
        if not self._coding[MessageType.EVALUATE].metrics:
            return [_carrying(message, {"step": "evaluate"}) for message in messages]
        return self._asking(MessageType.EVALUATE, server_round, (), messages)

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The inner strategy's step on the mean update."""
        mean, any_reply = self._sum(MessageType.TRAIN, replies)
        if mean is None or any_reply is None or self._arrays is None:
            return None, None
        pairs = zip(self._arrays.items(), mean.arrays)
        arrays = {key: Array(_moved(np.asarray(a.numpy()), change)) for (key, a), change in pairs}
        content = RecordDict({self.inner.arrayrecord_key: ArrayRecord(arrays), "metrics": self._metrics(mean)})
        return self.inner.aggregate_train(server_round, [Message(content, reply_to=any_reply)])

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Means of metrics."""
        if not self._coding[MessageType.EVALUATE].metrics:
            collections.deque(replies, maxlen=0)
            return None
        mean, any_reply = self._sum(MessageType.EVALUATE, replies)
        if mean is None or any_reply is None:
            return None
        content = RecordDict({"metrics": self._metrics(mean)})
        return self.inner.aggregate_evaluate(server_round, [Message(content, reply_to=any_reply)])

    def _metrics(self, mean: Any) -> MetricRecord:
        told = {self.inner.weighted_by_key: mean.examples, "clipped": mean.clipped, "sites": float(mean.sites)}
        return MetricRecord({**told, **mean.metrics})

    def _asking(self, kind: str, number: int, shapes: tuple, messages: Iterable[Message]) -> list[Message]:
        codec = self._coding[kind].codec(shapes)
        spec = {"job": f"{self.run}/{kind}", "number": number, "values": codec.values, "max": codec.max}
        self._asked[kind] = (spec, codec)
        asked = {**spec, "step": "upload", "codec": json.dumps(codec.to_dict())}
        return [_carrying(message, asked) for message in messages]

    def _sum(self, kind: str, replies: Iterable[Message]) -> tuple[Any, Optional[Message]]:
        """The mean of a round, and a reply; nothing, and a word in the log, if it is lost."""
        replies = iter(replies)
        first = next(replies, None)
        if first is None:
            return None, None
        spec, codec = self._asked[kind]
        try:
            # Uploads are read while others are still made.
            sums, sites = _Round(self, spec).run(itertools.chain([first], replies))
            mean = codec.decode(sums, len(sites))
            self._coding[kind].learn(mean)
            return mean, first
        except BlindscopeError as lost:
            log(WARNING, "round %s of %s is lost: %s", spec["number"], kind, lost)
            return None, first


def _carrying(message: Message, asked: dict) -> Message:
    """A strategy's message with a record of ours; messages of a strategy share their content."""
    message.content = RecordDict({**message.content, KEY: ConfigRecord(asked)})
    return message


def _moved(before: np.ndarray, change: np.ndarray) -> np.ndarray:
    return (before.astype(np.float64) + change).astype(before.dtype).reshape(before.shape)


class _Round:
    """One round after training, at the server."""

    def __init__(self, strategy: Encrypted, spec: dict):
        if strategy._grid is None:
            raise SumError("no round was configured")
        self.grid, self.timeout, self.spec = Prompt(strategy._grid), strategy.timeout, spec
        self.server, self.course = SumServer(strategy.roster, spec), strategy.course
        self.nodes: dict[int, int] = {}

    def run(self, replies: Iterable[Message]) -> tuple[np.ndarray, list[int]]:
        for site, node, blobs in self._read(replies, "upload"):
            try:
                if len(blobs) != 1:
                    raise SumError(f"{len(blobs)} byte strings, one is expected")
                self.server.take(site, blobs[0])
                self.nodes[site] = node
            except BlindscopeError as wrong:
                log(WARNING, "node %s: its upload cannot be used: %s", node, wrong)
        return self.course.finish(self.server, self._ask)

    def _ask(self, step: str, told: Mapping[int, Blobs], of: Optional[int]) -> Iterable[list]:
        messages = []
        for site, blobs in told.items():
            content = _with_blobs(RecordDict(), **blobs)
            content[KEY] = ConfigRecord({**self.spec, "step": step, **({} if of is None else {"of": of})})
            messages.append(Message(content, dst_node_id=self.nodes[site], message_type=MessageType.TRAIN))
        for _, _, said in self._read(self.grid.send_and_receive(messages, timeout=self.timeout), "answer"):
            yield said

    def _read(self, replies: Iterable[Message], name: str) -> Iterable[tuple[int, int, list]]:
        """Site, node and byte strings of each reply; one that has none is left out, with a word."""
        for reply in replies:
            node = reply.metadata.src_node_id
            if reply.has_error():
                log(WARNING, "node %s: %s", node, reply.error.reason)
                continue
            blobs, config = _blobs(reply.content, name), reply.content.config_records.get(KEY, {})
            site = config.get("site")
            if not blobs or not isinstance(site, int) or not 0 <= site < 2**16:
                log(WARNING, "node %s: its reply has no `%s` of a site", node, name)
                continue
            yield site, node, blobs
