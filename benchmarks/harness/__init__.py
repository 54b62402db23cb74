"""What the benchmarks share: interleaved timing, the machine in words, Markdown results."""
