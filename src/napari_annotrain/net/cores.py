from collections.abc import Callable, Generator
from contextlib import closing

import torch

from napari_annotrain.events import Event


def leave_a_core(events: Generator[Event], in_use: Callable[[], bool]) -> Generator[Event]:
    """Go through the events of a run that computes on one thread fewer while the computer is used for something else.

    Threads that share the work of an operation wait for the slowest of them: where one has to share its core with
    somebody who paints, all of them do. Looked at after every event.
    """
    n_threads = torch.get_num_threads()
    try:
        with closing(events):
            for event in events:
                yield event
                wanted = max(1, n_threads - in_use())
                if wanted != torch.get_num_threads():
                    torch.set_num_threads(wanted)
    finally:
        torch.set_num_threads(n_threads)
