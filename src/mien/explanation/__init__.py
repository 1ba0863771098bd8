"""Where a network looks: maps of what in a face speaks for an answer."""
