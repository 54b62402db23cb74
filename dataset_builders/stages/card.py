def write_card(where):
    pass
