"""A process that ingests events and says which ones were acknowledged, until it is killed."""

from __future__ import annotations

import asyncio
import sys
import uuid

from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from tests.support.store import FixedClock, event, pairs


async def main(url: str) -> None:
    """Ingest from eight callers at once; one line for each acknowledged event."""
    database = await open_database(url)
    issues = IssueRepository(database, FixedClock())

    async def caller(number: int) -> None:
        while True:
            events = [event(number % 3, event_id=str(uuid.uuid4())) for _ in range(5)]
            await issues.ingest(pairs(*events))
            sys.stdout.write("".join(f"{one.event_id}\n" for one in events))
            sys.stdout.flush()

    await asyncio.gather(*(caller(number) for number in range(8)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
