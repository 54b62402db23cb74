"""The demo Space: a history that a person picks or types, what each view shows of it, and what every system makes of it.

Nothing here knows the library that draws it (spaces/demo/app.py does), and everything is computed by the code of views, prompts and
systems: a case is a data set of one sample.
"""
