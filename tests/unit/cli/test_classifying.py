"""What `classify` prints is what the standard library would print."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from bounceproc.cli.classifying import encoded
from bounceproc.event import EventType

values = st.none() | st.text() | st.integers() | st.sampled_from(EventType)
rows = st.dictionaries(st.sampled_from(["recipient", "status", "smtp_code", "diagnostic"]), values)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["source", "kind", "reports", "error"]), values | st.lists(rows) | st.tuples(rows))
)
def test_an_object_is_written_as_json_dumps_writes_it(described: dict[str, object]) -> None:
    assert encoded(described) == json.dumps(described, ensure_ascii=False)
