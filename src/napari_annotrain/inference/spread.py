import torch


class Spread:
    """Mean and spread of maps that come one after the other (Welford 1962).

    The squares are those of differences from the mean so far: where all maps are nearly the same, sums of squares
    would leave nothing but rounding, and tiles would differ from the whole.
    """

    def __init__(self) -> None:
        self._n = 0
        self.mean = torch.empty(0)
        self._squares = torch.empty(0)

    def add(self, maps: torch.Tensor) -> None:
        """Take (K, Y, X) float32 maps, which are not kept."""
        self._n += 1
        if self._n == 1:
            self.mean, self._squares = maps.clone(), torch.zeros_like(maps)
            return
        apart = maps - self.mean
        self.mean += apart / self._n
        self._squares += apart * (maps - self.mean)

    @property
    def deviation(self) -> torch.Tensor:
        """(K, Y, X) standard deviation."""
        return (self._squares / max(1, self._n)).clamp(min=0).sqrt()
