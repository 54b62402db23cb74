"""Publishing an adapter or a CTR model: what it is told (`arguments`), under which names and licence (`identity`), the copies without
anything of this machine (`copies`), what is checked before anything is sent (`checks`), what both ways share (`push`), and the whole of
each (`adapter`, `ctr_model`).
"""
