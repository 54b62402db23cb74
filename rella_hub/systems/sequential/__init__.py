"""Sequential recommenders that choose the next item: GRU4Rec, Caser, SASRec by item ids, MoRec by item texts."""
