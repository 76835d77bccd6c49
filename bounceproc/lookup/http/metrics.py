"""What Prometheus reads: the text format 0.0.4."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bounceproc.lookup.follower import Follower
    from bounceproc.lookup.hall import Hall
    from bounceproc.lookup.tally import Tally


def render(
    follower: Follower,
    doors: Iterable[tuple[str, Tally, Hall]],
    counters: Mapping[str, Mapping[str, int]] | None,
) -> str:
    """The text. Counters of the database are left out where it does not answer."""
    lines = [
        "# TYPE bounceproc_index_entries gauge",
        f"bounceproc_index_entries {len(follower)}",
        "# TYPE bounceproc_feed_version gauge",
        f"bounceproc_feed_version {follower.place.version}",
        "# TYPE bounceproc_staleness_seconds gauge",
        f"bounceproc_staleness_seconds {min(follower.staleness, 1e9):.3f}",
        "# TYPE bounceproc_index_rebuilds_total counter",
        f"bounceproc_index_rebuilds_total {follower.rebuilds}",
    ]
    rows = [(name, tally, hall) for name, tally, hall in doors]
    for name in ("questions", "suppressed", "troubles", "malformed"):
        lines.append(f"# TYPE bounceproc_lookup_{name}_total counter")
        lines += [f'bounceproc_lookup_{name}_total{{door="{door}"}} {getattr(tally, name)}' for door, tally, _ in rows]
    lines.append("# TYPE bounceproc_connections gauge")
    lines += [f'bounceproc_connections{{door="{door}"}} {len(hall.guests)}' for door, _, hall in rows]
    lines.append("# TYPE bounceproc_connections_put_out_total counter")
    lines += [f'bounceproc_connections_put_out_total{{door="{door}"}} {hall.put_out}' for door, _, hall in rows]
    if counters is not None:
        lines.append("# TYPE bounceproc_done_total counter")
        lines += [
            f'bounceproc_done_total{{source="{_escaped(source)}",what="{_escaped(name)}"}} {value}'
            for source, values in sorted(counters.items())
            for name, value in sorted(values.items())
        ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
