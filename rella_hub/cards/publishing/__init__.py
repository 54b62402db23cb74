"""Publishing a trained system: what it is told (`arguments`), under which names and licence (`identity`), what its records say in public
(`copies`), whose terms it touches (`terms`), what is
sent (`staging`), what is checked before (`checks`), and the whole of it (`push`).
"""
