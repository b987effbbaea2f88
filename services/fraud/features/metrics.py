"""What the features worker tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class FeaturesMetrics:
    """Labels counted, repeated, missed and dead, and how far behind the worker is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.counted = Counter(
            "fraud_features_labels_total",
            "Labels counted, once for who paid and once for who was paid",
            registry=registry,
        )
        self.repeated = Counter(
            "fraud_features_repeated_labels_total",
            "Labels that came again and were not counted twice",
            registry=registry,
        )
        self.missed = Counter(
            "fraud_features_missed_labels_total",
            "Labels never seen, as the gaps in their numbers tell",
            registry=registry,
        )
        self.left_out = Counter(
            "fraud_features_left_out_labels_total", "Labels that Faust left out, read past it", registry=registry
        )
        self.dead_letters = Counter(
            "fraud_features_dead_letters_total", "Labels that could not be counted", registry=registry
        )
        self.lag_records = Gauge("fraud_features_lag_records", "Labels not yet counted", registry=registry)
