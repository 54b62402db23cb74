"""What a traditional CTR model is given: codes of fields and behaviors, gathered from the tables of a data set, whole batches at a time."""
