"""The results page: the rows of any number of reports as one static HTML page, which is also a Space."""
