"""What the features worker tells Prometheus."""

from libs.common.metrics import Metrics


class FeaturesMetrics:
    """Labels counted, repeated, missed and dead, and how far behind the worker is."""

    def __init__(self, metrics: Metrics) -> None:
        self.counted = metrics.counter(
            "fraud_features_labels_total", "Labels counted, once for who paid and once for who was paid"
        )
        self.repeated = metrics.counter(
            "fraud_features_repeated_labels_total", "Labels that came again and were not counted twice"
        )
        self.missed = metrics.counter(
            "fraud_features_missed_labels_total", "Labels never seen, as the gaps in their numbers tell"
        )
        self.left_out = metrics.counter(
            "fraud_features_left_out_labels_total", "Labels that Faust left out, read past it"
        )
        self.dead_letters = metrics.counter("fraud_features_dead_letters_total", "Labels that could not be counted")
        self.lag_records = metrics.gauge("fraud_features_lag_records", "Labels not yet counted")
