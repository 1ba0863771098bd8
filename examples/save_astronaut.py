"""Save the photo that scikit-image brings along (NASA, public domain) for `make demo`."""

import sys
from pathlib import Path

import PIL.Image
import skimage.data

if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(skimage.data.astronaut()).save(path)
