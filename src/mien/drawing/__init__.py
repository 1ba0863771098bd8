"""Results on pictures: boxes, tags and charts that read alike at 360p and at 4K.

Everything scales with the picture and stands on panels of its own, so it reads on light and on
dark. Tags and charts are placed one after another where they cover neither faces nor each other,
and they never leave the picture. Drawing whole frames with Pillow was left: it takes five times
as long as laying down sprites that were drawn once.
"""

from mien.drawing.annotator import Annotator, annotate

__all__ = ["Annotator", "annotate"]
