"""ReLLaX: an adapter that is told what a frozen CTR model knows of each sample, by gates, by soft prompts, or by both."""
