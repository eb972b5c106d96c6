"""Rendered lists, kept for those choices that are asked for most often.

Rendering a list costs more than all else of an answer, and most clients of a repository ask for one
path of it. So the rendered list of an order is kept with its path until the next order is drawn.
Memory is bounded in bytes: a choice gets room for its list only in place of one that is asked for
less often. How often is counted with forward decay (Cormode, Shkapenyuk, Srivastava, Xu: Forward
decay, ICDE 2009): later requests weigh more, so nothing that was counted has to be lowered.
"""

from collections import deque
from collections.abc import Callable, Iterable

from mirrorlist.lists.choice import Choice, Order
from mirrorlist.lists.listing import Filling

# After this many requests, one that came before them weighs half of one that comes now.
_HALF_LIFE = 16_384
_GROWTH = 2 ** (1 / _HALF_LIFE)
# A weight that a float holds with room to spare: reached after 9 million requests.
_HEAVIEST = 2.0**600
# Roughly what a list takes beside its bytes.
_BODY_BYTES = 100


class KeptChoice:
    """A choice as it is kept, with its order and perhaps the list of it for one path.

    `order` is for `left` more requests. `weight`: how often the choice was asked for, lately.
    `room`: how many bytes of `Bodies` are the choice's. `keys`: how many keys it is known by;
    `is_asked`: asked for since `Orders` last looked. `content`: by which `Orders` knows equal
    choices. `said` is the choice's own: a request that finds a list touches nothing else of it.
    """

    __slots__ = (
        "body",
        "choice",
        "content",
        "is_asked",
        "keys",
        "left",
        "order",
        "path",
        "room",
        "said",
        "size",
        "weight",
    )

    def __init__(self, choice: Choice, content: bytes = b"") -> None:
        """Take a choice that nobody has asked for."""
        self.choice = choice
        self.content = content
        self.said = choice.said
        self.size = choice.size
        self.order: Order | None = None
        self.left = 0
        self.keys = 0
        self.is_asked = False
        self.path: Filling | None = None
        self.body = b""
        self.room = 0
        self.weight = 0.0


class Bodies:
    """The rendered lists of a worker, bounded in bytes."""

    def __init__(self, most_bytes: int, choices: Callable[[], Iterable[KeptChoice]]) -> None:
        """Take how many bytes may be kept, and what returns all choices that have keys."""
        self.bytes = 0
        self.most_bytes = most_bytes
        self._choices = choices
        self._queue: deque[KeptChoice] = deque()
        self._weight = 1.0

    def of(
        self, kept: KeptChoice, order: Order, path: Filling, render: Callable[[Order], bytes]
    ) -> bytes:
        """Return the list of a choice's present order for a path."""
        self._weight *= _GROWTH
        kept.weight += self._weight
        known = kept.path
        if known is path or (known is not None and known == path):
            return kept.body
        body = render(order)
        # The list of another path stays until the order goes.
        if known is None:
            self._offer(kept, path, body)
        return body

    def _offer(self, kept: KeptChoice, path: Filling, body: bytes) -> None:
        size = len(body) + _BODY_BYTES + kept.size
        if self._has_room(kept, size):
            if not kept.room:
                self._queue.append(kept)
            self.bytes += size - kept.room
            kept.path, kept.body, kept.room = path, body, size
        if self._weight > _HEAVIEST:
            self._begin_again()

    def _has_room(self, kept: KeptChoice, size: int) -> bool:
        """Return whether a list fits, perhaps in place of those that are asked for less often."""
        if size > self.most_bytes:
            return False
        while self.bytes - kept.room + size > self.most_bytes:
            head = self._queue[0]
            if head is not kept and (kept.room or head.weight < kept.weight):
                self._drop_head()
                continue
            # The next choice in search of room meets another head.
            self._queue.rotate(-1)
            if not kept.room:
                return False
        return True

    def _drop_head(self) -> None:
        kept = self._queue.popleft()
        self.bytes -= kept.room
        kept.path, kept.body, kept.room = None, b"", 0

    def _begin_again(self) -> None:
        """Lower all weights, before a float cannot hold them."""
        # Some that have lists are no longer known by a key.
        for kept in {*self._choices(), *self._queue}:
            kept.weight /= self._weight
        self._weight = 1.0
