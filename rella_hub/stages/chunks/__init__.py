"""Work in chunks: each chunk is kept as soon as it is done, a run that broke off resumes, and several processes may share one run.

A chunk is a fixed set of rows, whatever the number of workers, so what is joined in the end is the same to the last byte.
"""
