"""Rendered lists: of the path and order asked for, kept by frequency, and bounded in bytes."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.lists import bodies as module
from mirrorlist.lists.bodies import Bodies, KeptChoice
from mirrorlist.lists.choice import Choice, Region, order_of
from mirrorlist.lists.listing import Filling
from mirrorlist.lists.orders import Orders
from tests.examples import examples


class Lists:
    """Choices without hosts, whose lists are counted as they are rendered."""

    def __init__(self, most_bytes: int, count: int = 4, length: int = 1000) -> None:
        """Take the bound, how many choices there are, and how long a list is."""
        region = Region([])
        self.all = [KeptChoice(Choice(region, [], b"", False, 0.0)) for _ in range(count)]
        self.bodies = Bodies(most_bytes, lambda: self.all)
        self.orders = Orders(reuse=2)
        self.rendered = 0
        self.length = length

    def ask(self, number: int, path: str = "/a/") -> bytes:
        """Return the list of a choice in its present order for a path."""
        order = self.orders.next(self.all[number], Random(1))
        return self.bodies.of(self.all[number], order, _path(path), lambda _: self._render(path))

    def again(self, number: int, path: str = "/a/") -> bool:
        """Return whether a list is kept: asking for it renders nothing."""
        before, kept = self.rendered, self.all[number]
        self.bodies.of(kept, order_of([]), _path(path), lambda _: self._render(path))
        return self.rendered == before

    def _render(self, path: str) -> bytes:
        self.rendered += 1
        return f"{path} {self.rendered} ".encode().ljust(self.length)

    @property
    def true_bytes(self) -> int:
        """The bytes of all lists that are kept."""
        return sum(len(one.body) for one in self.all)


def _path(path: str) -> Filling:
    return Filling(path.encode(), None, b">")


def room(lists: int, length: int = 1000) -> int:
    """Return how many bytes this many lists take."""
    kept = KeptChoice(Choice(Region([]), [], b"", False, 0.0))
    return lists * (length + module._BODY_BYTES + kept.size)


def test_a_list_is_of_its_path() -> None:
    """A choice that is asked for by two paths gives each its own list, and keeps the first."""
    lists = Lists(room(4))
    first = lists.ask(0, "/a/")
    assert first.startswith(b"/a/")
    assert lists.ask(0, "/b/").startswith(b"/b/")
    lists.bodies.of(lists.all[0], order_of([]), _path("/b/"), lambda _: b"")
    assert lists.again(0, "/a/")
    assert not lists.again(0, "/b/")
    assert lists.all[0].body == first


def test_a_new_order_has_a_new_list() -> None:
    """When an order is drawn, the list of the one before is not given again."""
    lists = Lists(room(4))
    found = [lists.ask(0) for _ in range(6)]
    assert found[0] == found[1] != found[2] == found[3] != found[4] == found[5]
    assert lists.bodies.bytes == room(1)


def test_equal_paths_are_one() -> None:
    """The path of another plan finds the list too, if it is equal."""
    lists = Lists(room(4))
    assert lists.ask(0, "/a/") is lists.ask(0, "/" + "a/")


def test_only_those_asked_for_more_often_get_room() -> None:
    """A list takes the place of another only if its choice was asked for more often."""
    lists = Lists(room(1), count=2)
    for _ in range(3):
        lists.ask(0)
    lists.ask(1)
    lists.ask(1)
    assert lists.all[1].room == 0
    assert lists.all[0].room == room(1)
    for _ in range(3):
        lists.ask(1)
    assert lists.all[0].room == 0
    assert lists.again(1)


def test_each_candidate_meets_another_head() -> None:
    """A candidate that a frequent choice refused finds the rare one behind it."""
    lists = Lists(room(2), count=3)
    for number in (0, 0, 0, 0, 0, 0, 0, 0, 1):
        lists.ask(number)
    lists.ask(2)
    lists.ask(2)
    lists.ask(2)
    assert [bool(one.room) for one in lists.all] == [True, False, True]


def test_a_list_larger_than_all_room() -> None:
    """A list that does not fit at all is given and not kept, and drives no other away."""
    lists = Lists(room(2))
    lists.ask(0)
    lists.length = room(3)
    for _ in range(9):
        assert len(lists.ask(1)) == room(3)
    assert lists.all[1].room == 0
    assert lists.again(0)


def test_later_requests_weigh_more() -> None:
    """What was asked for often long ago gives way to what is asked for now."""
    lists = Lists(room(1), count=2)
    for _ in range(100):
        lists.ask(0)
    lists.bodies._weight *= 2.0**10
    lists.ask(1)
    lists.ask(1)
    assert lists.all[0].room == 0


def test_weights_that_grow_too_heavy_are_lowered() -> None:
    """Lowering all weights keeps who is asked for more often, and by how much."""
    lists = Lists(room(2), count=3)
    for number in (0, 1, 1, 2, 2, 2):
        lists.ask(number)
    lists.bodies._weight = module._HEAVIEST / 2
    for number in (0, 1, 1, 2, 2, 2):
        lists.ask(number)
    before = [one.weight for one in lists.all]
    lists.bodies._weight = module._HEAVIEST
    while lists.bodies._weight > 2:
        lists.ask(0)
    after = [one.weight for one in lists.all]
    assert max(after) < 100
    assert abs(after[2] / after[1] - before[2] / before[1]) < 1e-9


def test_a_choice_without_keys_does_not_stay_heavy() -> None:
    """A choice that no key leads to any more, but whose list is kept, gives way to a new one."""
    lists = Lists(room(1), count=2)
    lists.bodies._weight = module._HEAVIEST / 2
    lists.ask(0)
    lists.bodies._choices = lambda: lists.all[1:]
    lists.bodies._begin_again()
    lists.ask(1)
    lists.ask(1)
    assert lists.all[0].room == 0


@examples(60)
@given(
    asked=st.lists(
        st.tuples(st.integers(0, 7), st.sampled_from(["/a/", "/b/"]), st.integers(1, 5000)),
        max_size=80,
    )
)
def test_bytes_are_never_over_the_bound(asked: list[tuple[int, str, int]]) -> None:
    """Whatever is asked for, the sum of all rooms is what is said, and within the bound."""
    lists = Lists(room(3, 3000), count=8)
    for number, path, length in asked:
        lists.length = length
        assert lists.ask(number, path).startswith(path.encode()[:length])
        assert lists.bodies.bytes == sum(one.room for one in lists.all)
        assert lists.true_bytes <= lists.bodies.bytes <= lists.bodies.most_bytes
        queued = {id(one) for one in lists.bodies._queue}
        assert queued == {id(one) for one in lists.all if one.room}
        assert len(queued) == len(lists.bodies._queue)
