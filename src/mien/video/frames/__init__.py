"""Frame sources: files, streams, cameras, folders and arrays behind one interface."""
