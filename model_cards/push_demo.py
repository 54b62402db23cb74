"""Push the demo to the Hub as a Space: which behaviors a language model is shown, what it is asked, and what every system answers.

The data set and the systems are named by their Hub ids. A Space that loads private ones needs a secret HF_TOKEN in its settings.

examples:
  python model_cards/push_demo.py --space me/rella-demo --dataset me/demo --base me/demo-base --adapters me/demo-rella --dry_run true
  python model_cards/push_demo.py --space me/ml1m-demo --dataset me/ml1m --base Qwen/Qwen3-0.6B --adapters me/ml1m-rella \
      --models me/ml1m-din --history_length 30 --collection ReLLa      # private: GroupLens forbids redistribution
"""

from __future__ import annotations

from rella_hub import cli
from rella_hub.demo.options import DemoOptions, PushDemoArguments


def main() -> None:
    shown, what = cli.parse(DemoOptions, PushDemoArguments, description=__doc__)
    from rella_hub.demo.publish import push_demo

    push_demo(shown, what)


if __name__ == "__main__":
    cli.run(main)
