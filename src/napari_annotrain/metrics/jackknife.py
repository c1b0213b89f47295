"""How much of a difference may be chance, from what each part leaves when it is left out (Efron 1982)."""

import numpy as np
import numpy.typing as npt


def standard_error(without: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Standard error by the jackknife.

    Parameters
    ----------
    without
        (N, ...) the value with each of N parts left out.

    Returns
    -------
    (...), infinite of a single part, which says nothing about chance.
    """
    values = np.asarray(without, np.float64)
    n = len(values)
    if n < 2:
        return np.full(values.shape[1:], np.inf)
    return np.asarray(np.sqrt((n - 1) / n * np.square(values - values.mean(0)).sum(0)))
