"""The numbers of the paper, one YAML a table, so that ours can stand beside them: no other file has a number of the paper."""
