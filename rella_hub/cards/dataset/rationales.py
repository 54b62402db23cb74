"""What the data card says of a table of rationales: who wrote it, what share cannot be used, and what it cost."""

from __future__ import annotations

from pathlib import Path

from rella_hub.tables import rationales, store


def described(folder: Path, name: str) -> str:
    made_from = store.made_from(folder, name)
    rows, writer = made_from["rows"], made_from["teacher"]
    asked = sum(rows.values())
    unusable = rows[rationales.UNUSABLE]
    student = f" with the adapter {writer['adapter']['name']}" if "adapter" in writer else ""
    why = "; ".join(f"{count:,}: {problem}" for problem, count in made_from["problems"].items())
    cost = "" if made_from["cost"] is None else f", cost {made_from['cost']:,.4f} in the currency of its prices"
    shown, part = made_from["shown"], made_from["written_at"]
    place = f"from at most {shown} behaviors before one training sample of each, after {part:.0%} of them"
    return (
        f"Rationales of {asked:,} users in three steps, written by {writer['name']}{student} {place}; {unusable / asked:.1%} are unusable "
        "and stand in a split of their own"
        f"{f' ({why})' if why else ''}. Tokens read: {made_from['prompt_tokens']:,}, written: {made_from['completion_tokens']:,}{cost}."
    )
