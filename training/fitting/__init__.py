"""One run of a traditional CTR model: data set → the weights of its best validation epoch, with recipe, log and curve."""
