"""The lake: Parquet files and their manifest, written by the flusher and read through DuckDB."""
