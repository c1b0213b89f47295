import pytest
import torch

from napari_annotrain.events import Note
from napari_annotrain.net.cores import leave_a_core


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def watched(n):
    """Events that tell on how many threads each was computed."""
    for _ in range(n):
        yield Note(str(torch.get_num_threads()))


@pytest.mark.parametrize("threads", [2, 4], indirect=True)
def test_one_thread_fewer_while_the_window_is_in_use_and_all_again_afterwards(threads):
    in_use = iter([False, True, True, False, False])
    run = leave_a_core(watched(5), lambda: next(in_use))
    assert [int(event.text) for event in run] == [threads, threads, threads - 1, threads - 1, threads]
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("threads", [1], indirect=True)
def test_the_only_thread_goes_on(threads):
    assert [event.text for event in leave_a_core(watched(3), lambda: True)] == ["1", "1", "1"]


@pytest.mark.parametrize("threads", [2], indirect=True)
def test_a_run_that_is_stopped_is_closed_and_gives_its_threads_back(threads):
    closed = []

    def endless():
        try:
            while True:
                yield Note("on")
        finally:
            closed.append(True)

    run = leave_a_core(endless(), lambda: True)
    next(run), next(run)
    assert torch.get_num_threads() == 1
    run.close()
    assert closed == [True]
    assert torch.get_num_threads() == 2
