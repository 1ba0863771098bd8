"""A data set of results: a folder of Parquet files that grows shard by shard."""
