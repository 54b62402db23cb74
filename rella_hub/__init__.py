"""ReLLa on the Hugging Face Hub: everything that the commands of the layout folders call."""
