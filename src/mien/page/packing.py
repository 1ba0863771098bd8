"""`make page`: the files of ONNX Runtime Web into the package, before a wheel is built."""

import sys
from pathlib import Path

from mien.errors import WeightsError
from mien.page.runtime import PACKAGED, put

if __name__ == "__main__":
    try:
        put(Path(sys.argv[1]), PACKAGED)
    except WeightsError as error:
        sys.exit(f"mien: {error}")
