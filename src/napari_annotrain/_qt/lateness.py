import time

from qtpy.QtCore import QObject, Qt, QTimer

#: Time between two looks, and how far back they count, in s.
TICK_SECONDS, MEMORY_SECONDS = 0.02, 0.5
#: The window is in use when its thread is late for this share of the time: painting costs a tenth and more of it,
#: with a picture that the processor draws a half; following a training costs a fiftieth.
IN_USE = 0.15


class Lateness(QObject):
    """How busy the window's thread is, told by how late a timer in it fires; any thread may ask.

    Whatever keeps the window busy counts (painting, panning, drawing without a graphics card), with no need to know
    of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.share = 0.0  # of the time of late, 0 ... 1
        self._last = 0.0
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(round(1000 * TICK_SECONDS))
        self._timer.timeout.connect(self._look)

    @property
    def in_use(self) -> bool:
        """Whether someone works in the window now."""
        return self.share > IN_USE

    def start(self) -> None:
        """Begin to look."""
        self._last, self.share = time.perf_counter(), 0.0
        self._timer.start()

    def stop(self) -> None:
        """Look no longer; the window counts as idle."""
        self._timer.stop()
        self.share = 0.0

    def _look(self) -> None:
        now = time.perf_counter()
        gap, self._last = now - self._last, now
        late = max(0.0, gap - TICK_SECONDS) / gap if gap else 0.0
        weight = min(1.0, gap / MEMORY_SECONDS)
        self.share += weight * (late - self.share)
