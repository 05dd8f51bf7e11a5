"""What a run of the pipeline was configured with, as far as results depend on it."""

import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

TOPICS = ("orders", "visits", "complaints", "prices")
CUSTOMER_TOPICS = ("orders", "visits", "complaints")

MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def duration_ms(text: str) -> int:
    """Milliseconds of a duration such as `5s`, `10m`, `2d` or `1h 30m`."""
    parts = re.findall(r"(\d+)\s*(ms|s|m|h|d|w)\s*", text)
    if not parts or "".join(re.split(r"\s+", text)) != "".join(n + unit for n, unit in parts):
        raise ValueError(f"not a duration: {text!r}, write for example 90s, 10m or 2d")
    return sum(int(number) * MILLISECONDS[unit] for number, unit in parts)


@dataclass(frozen=True)
class Settings:
    """Defaults are those of the contract, section 2."""

    zone: str = "Asia/Shanghai"
    max_future_skew_ms: int = duration_ms("5m")
    max_jump_ms: int = duration_ms("31d")
    max_record_bytes: int = 1_048_576
    partitioner: str = "murmur2"
    topic_names: dict = field(default_factory=lambda: {topic: f"{topic}.v1" for topic in TOPICS})
    out_of_orderness_ms: dict = field(
        default_factory=lambda: {
            "orders": duration_ms("1m"),
            "visits": duration_ms("10m"),
            "complaints": duration_ms("5s"),
            "prices": duration_ms("10m"),
        }
    )
    allowed_lateness_ms: dict = field(
        default_factory=lambda: {
            "orders": duration_ms("2d"),
            "visits": duration_ms("7d"),
            "complaints": duration_ms("2d"),
            "prices": duration_ms("7d"),
        }
    )


def from_toml(path: Path) -> Settings:
    """Reads the keys of `vitrine.toml` that results depend on; the others are the service's business."""
    config = tomllib.loads(path.read_text(encoding="utf-8"))
    time = config.get("time", {})
    settings = Settings()
    changes = {}
    if "zone" in time:
        changes["zone"] = time["zone"]
    if "max_future_skew" in time:
        changes["max_future_skew_ms"] = duration_ms(time["max_future_skew"])
    if "max_jump" in time:
        changes["max_jump_ms"] = duration_ms(time["max_jump"])
    if "max_record_bytes" in config.get("limits", {}):
        changes["max_record_bytes"] = config["limits"]["max_record_bytes"]
    if "partitioner" in config.get("source", {}):
        changes["partitioner"] = config["source"]["partitioner"]
    names = {topic: name for topic, name in config.get("topics", {}).items() if topic in TOPICS}
    changes["topic_names"] = settings.topic_names | names
    for key in ("out_of_orderness", "allowed_lateness"):
        given = {t: duration_ms(time[t][key]) for t in TOPICS if key in time.get(t, {})}
        changes[f"{key}_ms"] = getattr(settings, f"{key}_ms") | given
    return replace(settings, **changes)
