"""A small base model from scratch, where no Hub model can be had: the corpus's own text, a tokenizer, a Llama or a T5 for it."""
