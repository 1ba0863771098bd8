"""Recognition in a window, in real time: the loop, the window, recordings."""
