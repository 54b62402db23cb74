"""Push the metrics to the Hub as Spaces, so that `evaluate.load("rella/auc")` gives them anywhere.

Each Space holds the metric's one file, a README made from it and an app that tries it out; one commit a Space. The token comes from
`hf auth login` or HF_TOKEN.

examples:
  python evaluation/push_metrics.py --namespace me --dry_run true
  python evaluation/push_metrics.py --namespace me --metrics auc log_loss --collection ReLLa
"""

from dataclasses import dataclass, field

from rella_hub import cli


@dataclass(frozen=True)
class MetricArguments:
    namespace: str = field(default="rella", metadata={"help": "User or organization of the Hub to push to."})
    metrics: list[str] = field(
        default_factory=list, metadata={"help": "Files of rella_hub/metrics/. Default: all of them."}
    )
    private: bool = field(default=False, metadata={"help": "Push to private Spaces."})
    collection: str | None = field(
        default=None, metadata={"help": "Title of a collection of the namespace that takes the Spaces, such as ReLLa."}
    )
    dry_run: bool = field(default=False, metadata={"help": "Print what would change on the Hub, and send nothing."})


def main() -> None:
    (options,) = cli.parse(MetricArguments, description=__doc__)
    from rella_hub.cards.spaces import push_metrics

    push_metrics(options.namespace, options.metrics, options.private, options.collection, options.dry_run)


if __name__ == "__main__":
    cli.run(main)
