from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


def iter_behind(events: Iterable[Any], kind: Any, work: Callable[[Any], Any], name: str) -> Generator[Any]:
    """Pass events on; those of one kind are worked on in a thread while their source goes on, one after the other.

    What becomes of one comes when it is ready, at the latest when the next one has come. Whatever ends this
    generator, all that came is worked on.

    Parameters
    ----------
    kind
        A type of events, or a tuple of types.
    work
        Makes of such an event the one that is passed on.
    name
        Of the thread.
    """
    with ThreadPoolExecutor(1, name) as thread:
        waiting: Future[Any] | None = None
        for event in events:
            before = waiting
            if isinstance(event, kind):
                waiting = thread.submit(work, event)
                if before is not None:
                    yield before.result()
                continue
            if before is not None and before.done():
                waiting = None
                yield before.result()
            yield event
        if waiting is not None:
            yield waiting.result()
