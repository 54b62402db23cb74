"""Publishing an adapter: what it is told (`arguments`), under which names and licence (`identity`), the copies without anything of this
machine (`copies`), what is checked before anything is sent (`checks`), and the whole (`push`).
"""
