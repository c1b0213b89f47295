"""Prediction on a dask cluster: blocks of a result are tasks, and each worker writes its own chunks."""

import functools
import logging
import warnings
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr

from napari_annotrain.data.normalise import Normalisation
from napari_annotrain.data.places import refusing
from napari_annotrain.data.stack import Stack, paste
from napari_annotrain.errors import AnnotrainError
from napari_annotrain.events import BlockDone, Event, Note, Region, Started, TileDone
from napari_annotrain.inference.predictor import Predictor
from napari_annotrain.inference.segment import segment
from napari_annotrain.net.model import Model
from napari_annotrain.specs import PredictSpec

#: So many tasks for each thread of the cluster are under way at once: no worker waits, and no graph grows large.
AHEAD = 2
#: Seconds to wait for a scheduler that should be there.
PATIENCE_SECONDS = 15
#: Of processes on this computer: each core that watches them is one that does not compute. As it comes, dask looks at
#: every worker's call stack a hundred times a second, and at every event loop fifty times.
LOCAL_CONFIG = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500ms"}


@dataclass(frozen=True, eq=False)
class Work:
    """What every worker needs to know; sent to each of them once.

    Attributes
    ----------
    store
        OME-Zarr whose level 0 is written to; a folder that all workers see.
    ids_a_plane
        So many ids are set aside for the cells of each plane; 0 where none are told apart.
    out
        Where the result will appear, for what is said of it.
    """

    model: Model
    stack: Stack
    normalisation: Normalisation
    spec: PredictSpec
    store: Path
    axes: str
    ids_a_plane: int = 0
    out: Path | None = None


def run_blocks(address: str, work: Work, blocks: Iterable[Region], total: int, n_finished: int = 0) -> Generator[Event]:
    """Predict blocks of a result on a cluster; a `BlockDone` for each, in the order in which they end.

    What a worker was at when it died is done again by another one; a block has the same values whoever computes it,
    and writes to chunks of its own.

    Parameters
    ----------
    address
        Of a scheduler, ``tcp://...``, or ``local:N`` for N processes of this computer.
    blocks
        (T, Z, Y, X) slices; asked for as workers become free.
    total, n_finished
        How many blocks the result has, and how many of them were finished before, for the progress.

    Raises
    ------
    AnnotrainError
        There is no such cluster, its versions differ from ours, or a block fails.
    """
    from distributed import as_completed

    with _connected(address) as client:
        n_threads = sum(client.nthreads().values())
        yield Started("prediction", total, None, _words(client), str(work.spec.precision))
        sent = client.submit(_hand_on, work, pure=False)  # a task, so that it comes again where all workers died
        rest = iter(blocks)
        send = functools.partial(client.submit, _predict_block, sent, pure=False)
        first = {send(block): block for block in islice(rest, AHEAD * n_threads)}
        places, done = dict(first), n_finished
        told: set[str] = set()
        running = as_completed(list(first))
        for future in running:
            block = places.pop(future)
            last_id, notes = _result(future)
            done += 1
            for text in notes:
                if text not in told:
                    told.add(text)
                    yield Note(text)
            yield BlockDone(block, last_id, done, total)
            following = next(rest, None)
            if following is not None:
                sent_on = send(following)
                places[sent_on] = following
                running.add(sent_on)


def _hand_on(work: Work) -> Work:
    return work


def _predict_block(work: Work, block: Region) -> tuple[int, list[str]]:
    """Predict and write one block, in a worker; the largest id in it, and what should be said."""
    torch.set_num_threads(1)  # dask runs as many tasks at once as there are cores
    try:
        level = zarr.open_array(work.store, path="0", mode="r+")
    except (OSError, KeyError, ValueError) as error:
        raise AnnotrainError(
            f"A worker cannot write to {work.out or work.store}: choose a place for the result that all workers see."
        ) from error
    last_id, notes = 0, []
    plane = block[0].start * work.stack.shape[2] + block[1].start
    events = segment(work.model, work.stack, work.normalisation, work.spec, block, predictor=_predictor(work))
    with closing(events):
        for event in events:
            if isinstance(event, Note):
                notes.append(event.text)
            if not isinstance(event, TileDone):
                continue
            values = event.result
            if work.ids_a_plane:
                values, last_id = _own_ids(values, plane, work.ids_a_plane, level.dtype)
            with refusing(work.out or work.store):
                paste(level, work.axes, event.write, values)
    return last_id, notes


@functools.lru_cache(1)
def _predictor(work: Work) -> Predictor:
    """The network on its device, once for all blocks of a worker."""
    return Predictor(work.model, work.spec)


def _own_ids(values: Any, plane: int, a_plane: int, dtype: np.dtype[Any]) -> tuple[Any, int]:
    most = int(values.max(initial=0))
    if most > a_plane:
        raise AnnotrainError(f"More than {a_plane:,} cells were found in one plane: give a larger smallest cell.")
    own = np.where(values > 0, values.astype(dtype) + dtype.type(plane * a_plane), dtype.type(0))
    return own, int(own.max(initial=0))


def _result(future: Any) -> tuple[int, list[str]]:
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    try:
        found: tuple[int, list[str]] = future.result()
    except (CancelledError, CommClosedError) as error:
        raise AnnotrainError("The cluster has gone: start it again.") from error
    except KilledWorker as error:
        raise AnnotrainError(
            "Workers of the cluster died again and again at one block: give them more memory, or use smaller tiles."
        ) from error
    return found


def check_address(address: str) -> None:
    """Refuse what is no address of a cluster.

    Raises
    ------
    AnnotrainError
        It begins with neither ``local:`` nor a protocol.
    """
    kind, _, number = address.partition(":")
    if kind == "local" and not (number.isdigit() and int(number)):
        raise AnnotrainError(f"'{address}' names no number of processes: write local:2 for two.")
    if kind != "local" and "://" not in address:
        raise AnnotrainError(f"'{address}' is no address of a scheduler: write it like tcp://host:8786, or local:2.")


@contextmanager
def serving(address: str) -> Iterator[str]:
    """The address of a scheduler; that of ``local:N`` is started here, and ends with the block.

    Raises
    ------
    AnnotrainError
        Its processes could not be started, or what is needed for it is not installed.
    """
    check_address(address)
    try:
        import dask
        from distributed import LocalCluster
    except ImportError:
        raise AnnotrainError(
            "Prediction on a cluster needs dask.distributed: pip install 'napari-annotrain[distributed]'."
        ) from None
    if not address.startswith("local:"):
        yield address
        return
    try:
        with dask.config.set(LOCAL_CONFIG):
            cluster = LocalCluster(
                n_workers=int(address.removeprefix("local:")),
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,  # what goes wrong in a worker is told here, in a sentence
            )
    except RuntimeError as error:
        raise AnnotrainError(
            f"The processes of {address} could not be started: in a script, call predict below "
            "if __name__ == '__main__':, because each of them reads the script again."
        ) from error
    with cluster:
        yield cluster.scheduler_address


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of the cluster."""
    with serving(address) as address:
        from distributed import Client

        try:
            with warnings.catch_warnings():  # of other versions, which are refused below
                warnings.simplefilter("ignore")
                client = Client(address, timeout=PATIENCE_SECONDS)
        except (OSError, ValueError) as error:
            raise AnnotrainError(
                f"No scheduler answers at {address}: start one (dask scheduler), or write local:2 for two processes "
                "here."
            ) from error
        except Exception as error:  # each version has its own way not to understand another
            raise AnnotrainError(
                f"The scheduler at {address} speaks the language of another version of dask.distributed than "
                f"{version('distributed')}: install the same on all computers."
            ) from error
        with client:
            _check_versions(client, address)
            yield client


def _check_versions(client: Any, address: str) -> None:
    if not client.nthreads():
        raise AnnotrainError(f"The scheduler at {address} has no workers: start some (dask worker {address}).")
    told = client.get_versions()
    sides = [told["scheduler"], *told["workers"].values()]
    _check_version("distributed", {side["packages"]["distributed"] for side in sides}, f"Some computers of {address}")
    try:
        theirs = set(client.run(version, "napari-annotrain").values())
    except (ValueError, ImportError) as error:
        raise AnnotrainError(
            f"The workers at {address} lack napari-annotrain: install the same version on all of them."
        ) from error
    _check_version("napari-annotrain", theirs, f"Some workers at {address}")


def _check_version(package: str, theirs: set[str], who: str) -> None:
    ours = _version(package)
    if theirs != {ours}:
        others = ", ".join(sorted(theirs - {ours}))
        raise AnnotrainError(f"{who} have version {others} of {package} and not {ours}: install the same on all.")


def _version(package: str) -> str:
    return version(package)


def _words(client: Any) -> str:
    threads = client.nthreads()
    n = len(threads)
    return f"{n} dask worker{'s' * (n != 1)}, {sum(threads.values())} at once"
