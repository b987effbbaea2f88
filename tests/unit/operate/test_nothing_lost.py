"""What differs at one reading may be under way; what differs at two, the very same, is wrong."""

from operate.nothing_lost import Finding, still


def finding(**faults: set[str]) -> Finding:
    return Finding(what="all agree", faults={what: frozenset(ids) for what, ids in faults.items()}, counted="9")


def test_what_differs_twice_is_told() -> None:
    (found,) = still([finding(missing={"a", "b"})], [finding(missing={"b", "c"}, twice={"d"})])
    assert not found.holds
    assert found.faults == {"missing": frozenset({"b"})}
    assert found.detail == "1 missing, such as b"


def test_what_was_under_way_is_not() -> None:
    (found,) = still([finding(missing={"a"})], [finding(missing={"b"})])
    assert found.holds and found.detail == "9"
    (found,) = still([finding()], [finding(missing={"b"})])
    assert found.holds, "what has come since is under way"
