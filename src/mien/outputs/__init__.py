"""What is written while a video runs: annotated video, tables, segments, timeline."""
