"""Building blocks of the traditional CTR models: what a batch holds, and one concept of their papers a file."""
