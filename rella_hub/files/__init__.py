"""What a command writes: where it may, that it is whole, that one command writes at a time, and that nobody else's file is lost."""
