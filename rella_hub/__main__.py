"""`python -m rella_hub sft` is `rella-hub sft`, which `accelerate launch -m` needs."""

from rella_hub.commands import main

main()
