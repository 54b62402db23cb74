"""How an optional part of this project is installed: said wherever one is missing."""

DISTRIBUTION = "rella-hub"  # of pyproject.toml; `rella` on PyPI is another project


def how_to_install(extra: str) -> str:
    """What to do, in a checkout and with a wheel: this project is on no package index."""
    anywhere = f"pip install '{DISTRIBUTION}[{extra}] @ file:///path/to/its/wheel'"
    return f"install it with pip install -e '.[{extra}]' in a checkout of this project, or with {anywhere}"
