"""The Hugging Face Hub: what comes down is verified, what goes up is one commit."""
