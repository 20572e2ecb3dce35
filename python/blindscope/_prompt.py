"""A grid of Flower's whose replies are looked for as soon as they may be there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, Optional

from flwr.app import Message
from flwr.serverapp import Grid

# Seconds between two looks: the first, a share of the time that has passed, the longest.
FIRST, SHARE, LONGEST = 0.003, 0.03, 1.0


class Prompt:
    """Flower's own `send_and_receive` looks every 0.1 s in a simulation and every 3 s on a superlink, which is most of the time of a step that
    takes a site milliseconds. Here it is 3 ms first, then ever longer, to a second. All else is the grid's.
    """

    def __init__(self, grid: Grid):
        self._grid = grid

    def __getattr__(self, name: str) -> Any:
        return getattr(self._grid, name)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: Optional[float] = None) -> Iterator[Message]:
        """The replies that come within `timeout` seconds, as they come. Messages leave when the first is asked for."""
        waiting, begun = set(self._grid.push_messages(messages)), time.monotonic()
        while waiting:
            for reply in self._grid.pull_messages(list(waiting)):
                waiting.discard(reply.metadata.reply_to_message_id)
                yield reply
            passed = time.monotonic() - begun
            if not waiting or (timeout is not None and passed > timeout):
                return
            time.sleep(min(LONGEST, max(FIRST, SHARE * passed)))
