"""Tests: whether two systems that scored the same samples differ by more than chance."""
