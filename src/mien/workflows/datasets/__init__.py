"""A million pictures, or ten thousand hours of video: cut into shards, done by an engine, written
as a data set."""
