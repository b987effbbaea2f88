"""What Prometheus is told besides what a process counts itself."""

from prometheus_client import CollectorRegistry, generate_latest

from libs.common.figures import Readiness


def test_prometheus_sees_for_each_role_what_ready_says_at_that_moment() -> None:
    registry, ready = CollectorRegistry(), {"api": True, "relay": False}
    registry.register(Readiness(lambda: ready))
    assert 'role_ready{role="api"} 1.0' in generate_latest(registry).decode()
    assert 'role_ready{role="relay"} 0.0' in generate_latest(registry).decode()
    ready["relay"] = True
    assert 'role_ready{role="relay"} 1.0' in generate_latest(registry).decode()
