"""What the meter publishes and the tally reports."""

from libs.common.events import Event, Topic, event

INCREMENT = Topic(name="meter.increment.v1", key="the counter", meaning="What was counted.")
REPORT = Topic(name="tally.report.v1", key="the counter", meaning="Where counters stand.")


@event(topic=INCREMENT, key="counter_id", subject="counter_id")
class CounterIncremented(Event):
    counter_id: str
    by: int


@event(topic=REPORT, key="counter_id", subject="counter_id")
class CounterReported(Event):
    counter_id: str
    total: int
