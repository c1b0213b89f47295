"""Work on one thing after the other, several at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def in_order(work: Callable[[Thing], Result], things: Iterable[Thing], threads: int) -> Iterator[Result]:
    """What becomes of each thing, in their order; never more than `threads` of them are worked on or waited for."""
    rest = iter(things)
    with ThreadPoolExecutor(threads, "annotrain-cells") as pool:
        under_way: deque[Future[Result]] = deque(pool.submit(work, thing) for thing in islice(rest, threads))
        try:
            while under_way:
                yield under_way.popleft().result()
                under_way += [pool.submit(work, thing) for thing in islice(rest, 1)]
        finally:
            for future in under_way:
                future.cancel()
