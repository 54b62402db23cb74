"""Peers that want an environment of their own: its making, the rows as each peer reads them, and a turn of each as a script."""
