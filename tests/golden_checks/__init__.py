"""One check a golden file: `CHECKS[stem](file)`. A module here registers its checks with `@checks(stem)`."""

from __future__ import annotations

from collections.abc import Callable

from tests.golden_reader import GoldenFile

CHECKS: dict[str, Callable[[GoldenFile], None]] = {}


def checks(*stems: str) -> Callable[[Callable[[GoldenFile], None]], Callable[[GoldenFile], None]]:
    def register(check: Callable[[GoldenFile], None]) -> Callable[[GoldenFile], None]:
        CHECKS.update(dict.fromkeys(stems, check))
        return check

    return register
