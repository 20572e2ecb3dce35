"""A grid of Flower's whose replies are looked for as soon as they may be there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from flwr.app import Message
from flwr.serverapp import Grid

FIRST, GROWTH, LONGEST = 0.005, 1.2, 1.0


class Prompt:
    """Flower's own `send_and_receive` looks every 0.1 s in a simulation and every 3 s on a superlink, which is most of the time of a step that
    takes a site milliseconds. Here it is 5 ms first, then ever longer, to a second. All else is the grid's.
    """

    def __init__(self, grid: Grid):
        self._grid = grid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._grid, name)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: Optional[float] = None) -> list[Message]:
        """The replies that come within `timeout` seconds."""
        return list(self.replies(messages, timeout))

    def replies(self, messages: Iterable[Message], timeout: Optional[float]) -> Iterator[Message]:
        """The same, as they come."""
        waiting, pause = set(self._grid.push_messages(messages)), FIRST
        end = None if timeout is None else time.monotonic() + timeout
        while waiting:
            for reply in self._grid.pull_messages(list(waiting)):
                waiting.discard(reply.metadata.reply_to_message_id)
                yield reply
            if not waiting or (end is not None and time.monotonic() > end):
                return
            time.sleep(pause)
            pause = min(LONGEST, GROWTH * pause)
