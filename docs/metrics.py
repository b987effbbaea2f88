"""docs/metrics.md: every metric of every service, taken from the registries that the services themselves make."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from docs import catalogue
from docs.readmes import table, wired
from libs.common.metrics import Description, Metrics
from libs.common.record import replace
from libs.common.service import Role, Runtime
from services.fraud.features.metrics import FeaturesMetrics

_HEAD = ("metric", "kind", "labels", "meaning")
_INTRODUCTION = """# Metrics

Generated from the code by `make docs`; CI checks that it is true. Every service shows its own at `/metrics`, to whoever
shows the token of `WEIR_METRICS_TOKEN` ([security](security.md#who-reads-metrics)); to whoever asks for OpenMetrics, as
Prometheus does, buckets of histograms come with the id of a trace that fell into them (exemplars). Alerts on them:
[rules.yml](../deploy/prometheus/rules.yml); what to do then: [operations](operations.md).

Labels are bounded: by the values named here, or by what is said in words. A label with a list shows each of its values
from the beginning, at zero. Where a service runs as several processes:

- **counter**, **histogram**: each process counts its own. Ask for the sum: `sum by (service) (rate(…_total[5m]))`.
- **gauge**: each process has its own; which of sum and maximum makes sense is in its meaning.
- **figure**: a gauge that a query tells, every five seconds, the same in every worker. Ask for the maximum. A worker
  that could not look for half a minute shows none, so that a number that stands still is never taken for good news.

Besides these every process shows Python's and its own: `process_cpu_seconds_total`, `process_resident_memory_bytes`,
`process_open_fds`, `process_start_time_seconds`, `python_gc_collections_total` and their like.
"""


def page() -> str:
    """The whole document."""
    found = {service: descriptions(wired(service)) for service in catalogue.SERVICES}
    common = set.intersection(*(set(of_service) for of_service in found.values()))
    shared = {
        name: _merged([of_service[name] for of_service in found.values()])
        for name in found[catalogue.SERVICES[0]]
        if name in common
    }
    lines = [_INTRODUCTION, "## Every service", "", *_table(shared, common)]
    for service, of_service in found.items():
        lines += ["", f"## {service}", "", *_table(of_service, set(of_service) - common)]
    features = Metrics()
    FeaturesMetrics(features)
    lines += ["", f"## {catalogue.FEATURES}", "", *_table(features.descriptions, features.descriptions)]
    return "\n".join(lines) + "\n"


def descriptions(runtime: Runtime) -> Mapping[str, Description]:
    """All that a process with all roles shows, by name."""
    runtime.app([Role.API], dict)
    assert all((runtime.unit, runtime.edge, runtime.consumer, runtime.relay, runtime.sweep, runtime.figures))
    return runtime.metrics.descriptions


def _merged(same: Sequence[Description]) -> Description:
    """A metric that every service has; a label may have other values in each."""
    labels = {
        label: values if all(other.labels[label] == values for other in same) else "of each service its own"
        for label, values in same[0].labels.items()
    }
    return replace(same[0], labels=labels)


def _table(found: Mapping[str, Description], names: Iterable[str]) -> Iterator[str]:
    wanted = set(names)
    return table(_HEAD, (_cells(description) for name, description in found.items() if name in wanted))


def _cells(description: Description) -> tuple[str, str, str, str]:
    kind = "figure" if description.is_looked_up else description.kind
    labels = "; ".join(
        f"`{label}`: " + (values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values))
        for label, values in description.labels.items()
    )
    return f"`{description.name}`", kind, labels, description.meaning
