"""Training loops: what is ours about them, on top of TRL's and transformers' trainers."""
