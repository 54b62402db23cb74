"""Raw files: fetched, verified, opened without trust, read into typed columns."""
