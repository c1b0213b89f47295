from napari_annotrain.errors import AnnotrainError


def parse_memory(text: str | int) -> int:
    """Read an amount of memory: ``"2GB"``, ``"500 MB"``, ``"1.5GiB"`` or a number of bytes.

    Raises
    ------
    AnnotrainError
        It is not a positive amount in B, kB, MB, GB, TB or their binary kin.
    """
    units = {"": 1, "B": 1}
    for i, letter in enumerate("KMGT", 1):
        units |= {letter: 1000**i, f"{letter}B": 1000**i, f"{letter}IB": 1024**i}
    word = str(text).strip().upper().replace(" ", "")
    number = word.rstrip("KMGTIB")
    try:
        amount = int(float(number) * units[word[len(number) :]])
    except (ValueError, KeyError, OverflowError):
        amount = 0
    if amount < 1:
        raise AnnotrainError(f"The amount of memory '{text}' cannot be read: write it like 2GB or 500MB.")
    return amount
