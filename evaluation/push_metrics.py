"""Push the metrics to the Hub as Spaces, so that `evaluate.load("rella/auc")` gives them anywhere.

Each Space holds the metric's one file, a README made from it and an app that tries it out; one commit a Space. The token comes from
`hf auth login` or HF_TOKEN.

examples:
  python evaluation/push_metrics.py --namespace me --dry_run true
  python evaluation/push_metrics.py --namespace me --metrics auc log_loss --collection ReLLa
"""

from dataclasses import dataclass

from rella_hub import cli
from rella_hub.cli.options import option


@dataclass(frozen=True)
class MetricArguments:
    namespace: str = option("User or organization of the Hub to push to.", "rella")
    metrics: list[str] = option("Files of rella_hub/metrics/, such as auc. Default: all of them.", [])
    private: bool = option("Push to private Spaces.", False)
    collection: str | None = option(
        "Title of a collection of the namespace that takes the Spaces, such as ReLLa.", None
    )
    dry_run: bool = option("Print what would change on the Hub, and send nothing.", False)


def main() -> None:
    (options,) = cli.parse(MetricArguments, description=__doc__)
    from rella_hub.cards.spaces import push_metrics

    push_metrics(options.namespace, options.metrics, options.private, options.collection, options.dry_run)


if __name__ == "__main__":
    cli.run(main)
