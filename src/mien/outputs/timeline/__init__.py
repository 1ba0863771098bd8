"""One HTML page that shows what the faces of a video expressed outwardly, over time."""

from mien.outputs.timeline.file import TimelineFile

__all__ = ["TimelineFile"]
