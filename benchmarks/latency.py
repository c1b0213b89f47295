"""Does the window stay alive? How late its main thread is while someone paints and the computer trains or predicts.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/latency.py [--seconds 20] [--why 80]

A timer ticks in the main thread; a tick is as late as the main thread was busy or held up. Strokes are mouse events on
the canvas, 30 a second. Where there is no GPU the processor draws napari's picture and the main thread waits for it:
lateness is therefore also told without the time it takes to draw. With --why, whatever makes a tick later than so many
ms is printed, and nothing is written.
"""

import argparse
import gc
import itertools
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from napari_window import Window, pause, wait
from qtpy.QtCore import QEvent, QObject, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QWidget
from report import machine, table, write_part

from napari_annotrain.data.strokes import strokes
from napari_annotrain.data.synthetic import cells
from napari_annotrain.specs import TrainSpec

SIDE, BRUSH = 2048, 10
TICK_MS, MOVE_MS = 5, 33
#: A stroke has so many moves of so many px on the screen; strokes lie so far apart.
MOVES, MOVE_PX, APART_PX = 45, 6, 12
#: With *Live* on the view is moved by so many px of the image every so many s.
LOOK_ON_SECONDS, LOOK_ON_PX = 4.0, 16
#: Beginning and end of what is measured, in s of the clock.
Span = tuple[float, float]


class Ticks(QObject):
    """A timer in the main thread: when it fired, and how long drawing had taken till then.

    Drawing is all from the canvas' paint event, or else from the composition of the window, until the frame is on the
    screen. With `account`, what the main thread computed and waited for a processor is recorded as well (Linux).
    """

    def __init__(self, canvas: QWidget, account: bool) -> None:
        super().__init__()
        self.times: list[float] = []
        self._drawn: list[float] = []
        self._used: list[tuple[float, float]] = []
        self._account, self._drawing, self._began = account, 0.0, 0.0
        canvas.installEventFilter(self)
        canvas.aboutToCompose.connect(self._draw)
        canvas.frameSwapped.connect(self._seen)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def eventFilter(self, _, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self._draw()
        return False

    def _draw(self) -> None:
        self._began = self._began or time.perf_counter()

    def _seen(self) -> None:
        if self._began:
            self._drawing += time.perf_counter() - self._began
            self._began = 0.0

    def _tick(self) -> None:
        self.times.append(time.perf_counter())
        self._drawn.append(self._drawing)
        self._used.append(used() if self._account else (0.0, 0.0))

    def late(self, spans: list[Span]) -> tuple[np.ndarray, np.ndarray]:
        """How late the ticks within some spans of time came, in ms: in all, and but for drawing."""
        times = np.array(self.times)
        gaps, drawn = 1000 * np.diff(times), 1000 * np.diff(self._drawn)
        chosen = within(times[1:], spans)
        return np.maximum(0, gaps[chosen] - TICK_MS), np.maximum(0, (gaps - drawn)[chosen] - TICK_MS)

    def shares(self, spans: list[Span], limit: float) -> str:
        """What the main thread did while ticks were later than `limit` ms, in words."""
        gaps = np.diff(self.times)
        chosen = within(np.array(self.times[1:]), spans) & (1000 * gaps - TICK_MS > limit)
        total, drawing = gaps[chosen].sum(), np.diff(self._drawn)[chosen].sum()
        computing, waiting = np.diff(self._used, axis=0)[chosen].sum(0)
        return (
            f"{chosen.sum()} ticks more than {limit:.0f} ms late, {total:.2f} s in all, {drawing:.2f} s of it drawing. "
            f"The main thread computed {computing:.2f} s, waited {waiting:.2f} s for a processor and "
            f"{total - computing - waiting:.2f} s for other threads."
        )


def within(times: np.ndarray, spans: list[Span]) -> np.ndarray:
    """Which times lie in one of the spans."""
    return np.any([(start <= times) & (times <= stop) for start, stop in spans], axis=0)


def used() -> tuple[float, float]:
    """Seconds the calling thread has computed, and waited for a processor (Linux)."""
    try:
        computed, waited, _ = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text().split()
    except OSError:
        return 0.0, 0.0
    return int(computed) / 1e9, int(waited) / 1e9


class Hand(QObject):
    """Paints strokes with the mouse; a move is over when the frame that shows it is on the screen."""

    def __init__(self, canvas: QWidget, layer) -> None:
        super().__init__()
        self._canvas, self._layer = canvas, layer
        self._way = self._events()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._post)
        self._next = 0.0
        self._posted: list[float] = []  # when moves that did not arrive yet were due
        self._arrived: list[float] = []  # those that are not painted yet: napari lets some wait
        self._painted: list[float] = []  # those that are not seen yet
        self._moves: list[Span] = []  # when a move was due, and when it was seen
        canvas.installEventFilter(self)
        layer.events.labels_update.connect(self._paint)
        canvas.frameSwapped.connect(self._seen)

    def start(self) -> None:
        self._next = time.perf_counter()
        self._timer.start(MOVE_MS)

    def stop(self) -> None:
        """End the stroke."""
        self._timer.stop()
        while self._send(time.perf_counter()) != QEvent.Type.MouseButtonRelease:
            pass

    def took(self, spans: list[Span]) -> np.ndarray:
        """Time from when moves were due within some spans of time until they were seen, in ms."""
        due, seen = np.array(self._moves).reshape(-1, 2).T
        return 1000 * (seen - due)[within(due, spans)]

    def _post(self) -> None:
        while self._next <= time.perf_counter():  # a hand does not wait for the window
            self._send(self._next)
            self._next += MOVE_MS / 1000

    def _send(self, due: float) -> QEvent.Type:
        kind, place = next(self._way)
        moves = kind == QEvent.Type.MouseMove
        button = Qt.MouseButton.NoButton if moves else Qt.MouseButton.LeftButton
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else Qt.MouseButton.LeftButton
        on_screen = self._canvas.mapToGlobal(place)
        if moves:
            self._posted.append(due)
        event = QMouseEvent(kind, place, on_screen, button, held, Qt.KeyboardModifier.NoModifier)
        QApplication.postEvent(self._canvas, event)
        return kind

    def _events(self) -> Iterator[tuple[QEvent.Type, QPointF]]:
        """Strokes from left to right, row below row, in the middle of the canvas; then again with the other class."""
        for value in itertools.cycle((2, 1)):
            self._layer.selected_label = value
            width, height = self._canvas.width(), self._canvas.height()
            side = 0.8 * min(width, height)
            length = min(MOVES * MOVE_PX, side)
            for row in np.arange(0, side, APART_PX):
                x = (width - length) / 2 + np.linspace(0, length, MOVES + 1)
                y = (height - side) / 2 + row + 3 * np.sin(np.linspace(0, 12, MOVES + 1))
                places = [QPointF(*place) for place in zip(x, y, strict=True)]
                yield QEvent.Type.MouseButtonPress, places[0]
                yield from ((QEvent.Type.MouseMove, place) for place in places[1:])
                yield QEvent.Type.MouseButtonRelease, places[-1]

    def eventFilter(self, _, event: QEvent) -> bool:
        if event.type() == QEvent.Type.MouseMove and self._posted:
            self._arrived.append(self._posted.pop(0))
        return False

    def _paint(self, event=None) -> None:
        self._painted += self._arrived
        self._arrived.clear()

    def _seen(self) -> None:
        now = time.perf_counter()
        self._moves += [(due, now) for due in self._painted]
        self._painted.clear()


class Lab:
    """The window in which all states are measured, and the states."""

    def __init__(self, seconds: float, limit: float | None) -> None:
        self.seconds, self.limit = seconds, limit
        tile, truth = cells((512, 512), n_cells=90, seed=0)
        painted = np.zeros((SIDE, SIDE), np.uint8)
        painted[:512, :512] = strokes(truth)
        self.window = Window(np.tile(tile, (SIDE // 512, SIDE // 512)), "cells")
        wait(lambda: self.window.controller.loading.done, 120)
        layer = self.window.annotate(painted)
        layer.brush_size = BRUSH
        self.window.choose("preset_combo", "fast")
        pause(0.5)
        self.window.viewer.fit_to_view()
        canvas = self.window.viewer.window._qt_viewer.canvas.native
        self.ticks, self.hand = Ticks(canvas, account=bool(limit)), Hand(canvas, layer)
        self.rates: list[float] = []  # steps a second of each training
        pause(0.5)

    def rest(self) -> list[Span]:
        return [span(lambda: pause(self.seconds))]

    def train(self, seconds: float | None = None) -> list[Span]:
        """Train from nothing; the time until the model is there, without the prediction of the view that follows."""
        window, seconds = self.window, seconds or self.seconds
        window.choose("base_combo", "nothing")
        window.controller.train.set_spec(TrainSpec(seconds=seconds))

        def run() -> None:
            window.press("train_button")
            wait(lambda: window.controller.session.activity != "training", 120 + 20 * seconds)

        spans = [span(run)]
        steps = re.search(r"([\d,]+) steps", window.says("run_label"))
        self.rates.append(int(steps[1].replace(",", "")) / seconds)
        window.wait_until_idle(300)
        return spans

    def keep_training(self) -> list[Span]:
        """Train on what is being painted, with *Live* on, and look a little further now and then."""
        window = self.window
        checks = [window.part(QCheckBox, name) for name in ("keep_training_check", "live_check")]
        for check in checks:
            check.setChecked(True)
        window.choose("base_combo", "nothing")
        window.press("train_button")
        wait(lambda: self.prediction_seen(), 300)

        def run() -> None:
            camera, end = window.viewer.scene.camera, time.perf_counter() + self.seconds
            while time.perf_counter() < end:
                pause(min(LOOK_ON_SECONDS, self.seconds))
                _, y, x = camera.center
                camera.center = (0, y, x + LOOK_ON_PX)

        spans = [span(run)]
        window.press("stop_button")
        window.wait_until_idle(300)
        for check in checks:
            check.setChecked(False)
        return spans

    def prediction_seen(self) -> bool:
        """Whether something was predicted since the training began."""
        found = self.window.prediction()
        return found is not None and bool(found.any())

    def predict(self) -> list[Span]:
        """Predict the whole image again and again."""
        spans: list[Span] = []

        def run() -> None:
            self.window.press("predict_stack_button")
            self.window.wait_until_idle(600)

        while sum(stop - start for start, stop in spans) < self.seconds:
            spans.append(span(run))
        return spans

    @contextmanager
    def painting(self) -> Iterator[None]:
        self.hand.start()
        pause(0.3)
        yield
        self.hand.stop()

    def measure(self, name: str, run: Callable[[], list[Span]], paints: bool = False) -> tuple[object, ...]:
        """One row of the table."""
        pause(1)
        trainings = len(self.rates)
        with self.painting() if paints else nullcontext():
            spans = run()
        pause(1)  # the last moves come onto the screen
        late, but_drawing = self.ticks.late(spans)
        rate = f"{self.rates[-1]:.1f}" if len(self.rates) > trainings else ""
        lateness = (*quantiles(late), *quantiles(but_drawing)[1:])
        row = (name, f"{late.size:,}", *lateness, *quantiles(self.hand.took(spans)), rate)
        print(*row, sep=" | ", flush=True)
        if self.limit:
            print(self.ticks.shares(spans, self.limit), flush=True)
        return row


def span(run: Callable[[], object]) -> Span:
    began = time.perf_counter()
    run()
    return began, time.perf_counter()


def quantiles(values: np.ndarray) -> tuple[str, str, str]:
    """Median, 99th percentile and largest value, in words."""
    if not values.size:
        return ("", "", "")
    median, most_of_them, largest = np.percentile(values, (50, 99, 100))
    return (f"{median:.0f}", f"{most_of_them:.0f}", f"{largest:.0f}")


def explain(ticks: Ticks, limit: float) -> None:
    """Print what all threads do whenever a tick is later than `limit` ms, and long garbage collections."""
    main, started = threading.main_thread().ident, [0.0]

    def watch() -> None:
        of, most = 0.0, limit
        while True:
            time.sleep(0.01)
            last, now = ticks.times[-1], time.perf_counter()
            if last != of:
                of, most = last, limit
            if 1000 * (now - last) - TICK_MS < most:
                continue
            most *= 2  # and tell again if it goes on
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            print(f"\n{1000 * (now - last):.0f} ms without a tick", file=sys.stderr)
            for ident, frame in sys._current_frames().items():
                if ident == threading.get_ident():
                    continue
                stack = traceback.extract_stack(frame)
                words = [f"{entry.filename.rpartition('/')[2]}:{entry.lineno} {entry.name}" for entry in stack]
                shown = words[-12:] if ident == main else words[-4:]
                print(f"  {names.get(ident, ident)}: {' > '.join(shown)}", file=sys.stderr, flush=True)

    def collected(phase: str, info: dict) -> None:
        now = time.perf_counter()
        if phase == "start":
            started[0] = now
        elif 1000 * (now - started[0]) > limit / 4:
            what = f"generation {info['generation']} in {threading.current_thread().name}"
            print(f"\ngarbage collection, {what}: {1000 * (now - started[0]):.0f} ms", file=sys.stderr, flush=True)

    gc.callbacks.append(collected)
    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--why", type=float, metavar="MS")
    given = parser.parse_args()
    lab = Lab(given.seconds, given.why)
    if given.why:
        explain(lab.ticks, given.why)
    rows = [
        lab.measure("first training of the session, 3 s", lambda: lab.train(3)),
        lab.measure("nothing happens", lab.rest),
        lab.measure("painting", lab.rest, paints=True),
        lab.measure("training", lab.train),
        lab.measure("training and painting", lab.train, paints=True),
        lab.measure("kept training, live, painting", lab.keep_training, paints=True),
        lab.measure("predicting", lab.predict),
        lab.measure("predicting and painting", lab.predict, paints=True),
    ]
    lab.window.viewer.close()
    head = ("state", "ticks", "late: median", "99 %", "most", "but for drawing: 99 %", "most",
            "move seen after: median", "99 %", "most", "steps/s")  # fmt: skip
    about = f"{given.seconds:.0f} s of each state, {SIDE} x {SIDE} px, times in ms."
    if given.why:
        print(table(head, rows))
    else:
        write_part("latency", f"{machine()} {about}\n\n{table(head, rows)}")


if __name__ == "__main__":
    main()
