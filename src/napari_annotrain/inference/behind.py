from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


def iter_behind(
    events: Iterable[Any], kind: type[Any], work: Callable[[Any], Any], name: str, at_once: bool = False
) -> Generator[Any]:
    """Pass events on; those of one kind are worked on in a thread while their source goes on, one after the other.

    What becomes of one comes when it is ready, at the latest when the next one would be begun. Whatever ends this
    generator, work that was begun is finished.

    Parameters
    ----------
    name
        Of the thread.
    at_once
        Without a thread.
    """
    with ThreadPoolExecutor(1, name) as thread:
        waiting: Future[Any] | None = None
        for event in events:
            mine = isinstance(event, kind)
            if waiting is not None and (mine or waiting.done()):
                yield waiting.result()
                waiting = None
            if not mine:
                yield event
            elif at_once:
                yield work(event)
            else:
                waiting = thread.submit(work, event)
        if waiting is not None:
            yield waiting.result()
