from collections.abc import Generator
from contextlib import closing
from typing import Any

from napari_annotrain.events import Done, Event, OnEvent


def result_of(run: Generator[Event], on_event: OnEvent | None) -> Any:
    """Follow a run to its end and tell its events: what its `Done` holds, None where there was none."""
    result = None
    with closing(run) as events:
        for event in events:
            if on_event:
                on_event(event)
            if isinstance(event, Done):
                result = event.result
    return result
