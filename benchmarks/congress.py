"""Ten thousand readers at once: which part reaches its limit first, from measured costs and a queue simulation.

    .ci/with-postgres python benchmarks/congress.py [--readers 10000] [--within 300] [--cases 30]

The costs of an enrolment, an answer and an image are measured on this machine: a server with two workers on PostgreSQL,
readers who do not pause, processor time of the server's and the database's processes, and bytes sent. SimPy then
simulates the readers with a deployment's cores, threads, disk and network connection as queues. The simulation does not
include failures, other traffic, or effects of load other than queues (caches, locks). Use it to see which part reaches
its limit first, and for orders of magnitude, but not as a guarantee.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import simpy
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.load import OurReader, prepared, together  # noqa: E402
from tests.server import Workers  # noqa: E402

THREADS = 8  # per process
CASE_S = 6.0  # time a person takes for a case
IMAGE_BYTES = 400_000  # a sealed panoramic radiograph of 1024 x 512 at 8 bits; the phantoms' own size is printed


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor time of one enrolment, answer (onset and answer) or image."""

    app_ms: float
    database_ms: float
    bytes: int = 2_000
    synced: bool = True  # whether it waits for the disk


@dataclass(frozen=True)
class Deployment:
    """The machines of a deployment. Each runs as many worker processes as it has cores."""

    name: str
    machines: int
    cores: int
    database_cores: int
    line_gbit: float  # from all machines together to the readers

    @property
    def processes(self) -> int:
        return self.machines * self.cores


DEPLOYMENTS = (
    Deployment("one machine for all, 4 cores, 1 Gbit/s", 1, 3, 1, 1),
    Deployment("8 cores, PostgreSQL of 4 beside it, 1 Gbit/s", 1, 8, 4, 1),
    Deployment("8 cores, PostgreSQL of 4 beside it, 10 Gbit/s", 1, 8, 4, 10),
    Deployment("4 machines of 8 cores, PostgreSQL of 8, 4 x 2.5 Gbit/s", 4, 8, 8, 10),
)


def seconds(processes: list[psutil.Process]) -> float:
    """The processor time that the processes have used so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(database: str, cases: int, count: int) -> tuple[dict[str, Cost], int]:
    """The costs of an enrolment, an answer and an image, and the number of connections per worker process."""
    engine = sa.create_engine(database)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (plain, fetching), _, image_bytes = prepared(folder, database, cases, [count, count], False)
        server = Workers({"DISCERN_INSTANCE": str(folder / "instance"), "DISCERN_DATABASE_URL": database})
        try:
            print(f"images of the phantoms: {image_bytes:,} bytes")
            port = int(server.address.split(":")[1])
            app = psutil.Process(server.pid).children(recursive=True)

            def used(work, readers: list[OurReader], times: int) -> tuple[float, float]:
                with engine.connect() as connection:
                    before = seconds(app), seconds(_backends(connection))
                    together(work, readers)
                    after = seconds(app), seconds(_backends(connection))
                return tuple(1000 * (b - a) / times for a, b in zip(before, after, strict=True))  # type: ignore[return-value]

            first = [OurReader(port, token, False) for token in plain]
            warm, rest = first[: count // 2], first[count // 2 :]
            together(lambda reader: reader.come_in(), warm)  # connections are made, and statements compiled
            enrolment = used(lambda reader: reader.come_in(), rest, len(rest))
            answer = used(lambda reader: reader.read(), first, count * cases)
            second = [OurReader(port, token, True) for token in fetching]
            together(lambda reader: reader.come_in(), second)
            both = used(lambda reader: reader.read(), second, count * cases)
            with engine.connect() as connection:
                asked = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                connections = connection.scalar(sa.text(asked)) - 1
        finally:
            server.kill()
    engine.dispose()
    image = [max(0.0, one - other) for one, other in zip(both, answer, strict=True)]
    costs = {
        "enrolment": Cost(*enrolment, bytes=60_000),
        "answer": Cost(*answer),
        "image": Cost(*image, bytes=IMAGE_BYTES, synced=False),
    }
    return costs, -(-connections // len(app))


def _backends(connection: sa.Connection) -> list[psutil.Process]:
    """The database's processes except the one being asked: backends, and those that write to disk."""
    pids = connection.scalars(sa.text("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
    return [psutil.Process(pid) for pid in pids]


def sync_ms(folder: str) -> float:
    """The median time for writing 8 kB durably to this disk."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for _ in range(50):
            began = time.perf_counter()
            file.write(bytes(8192))
            file.flush()
            os.fsync(file.fileno())
            took.append(1000 * (time.perf_counter() - began))
    return float(np.median(took))


class House:
    """A deployment as queues; every wait of a reader is recorded, by kind of request."""

    def __init__(self, what: Deployment, costs: dict[str, Cost], disk_ms: float, seed: int) -> None:
        self.world, self.costs, self.disk_ms = simpy.Environment(), costs, disk_ms
        self.random = random.Random(seed)
        self.parts = {
            "processes (cores of the machines)": simpy.Resource(self.world, what.processes),
            "threads": simpy.Resource(self.world, what.processes * THREADS),
            "cores of the database": simpy.Resource(self.world, what.database_cores),
            "disk of the database": simpy.Resource(self.world, 1),
            "line to the readers": simpy.Resource(self.world, 1),
        }
        self.bytes_a_second = what.line_gbit * 1e9 / 8
        self.busy = dict.fromkeys(self.parts, 0.0)
        self.waits: dict[str, list[float]] = {"enrolment": [], "answer": [], "image": []}
        self.present = self.most = 0  # readers in the room
        self.next_sync = self.world.event()
        self.world.process(self.syncing())

    def hold(self, part: str, seconds: float) -> Iterator[simpy.Event]:
        with self.parts[part].request() as turn:
            yield turn
            yield self.world.timeout(seconds)
            self.busy[part] += seconds

    def syncing(self) -> Iterator[simpy.Event]:
        """One disk write at a time; each one serves everybody who is waiting when it begins."""
        while True:
            served, self.next_sync = self.next_sync, self.world.event()
            yield self.world.timeout(self.disk_ms / 1000)
            if served.callbacks:
                self.busy["disk of the database"] += self.disk_ms / 1000
            served.succeed()

    def ask(self, what: str) -> Iterator[simpy.Event]:
        """One request, or a few that belong together."""
        cost, began = self.costs[what], self.world.now
        with self.parts["threads"].request() as thread:
            yield thread
            entered = self.world.now
            chance = self.random.expovariate(1.0)
            yield from self.hold("processes (cores of the machines)", chance * cost.app_ms / 1000)
            yield from self.hold("cores of the database", chance * cost.database_ms / 1000)
            if cost.synced:
                yield self.next_sync
            self.busy["threads"] += self.world.now - entered
        yield from self.hold("line to the readers", cost.bytes / self.bytes_a_second)
        self.waits[what].append(self.world.now - began)

    def read(self, start: float, cases: int) -> Iterator[simpy.Event]:
        """A reader, from the open link to the last answer. The next image is sent while the current one is viewed."""
        yield self.world.timeout(start)
        yield from self.ask("enrolment")
        self.present += 1
        self.most = max(self.most, self.present)
        for _ in range(cases):
            travels = self.world.process(self.ask("image"))
            yield self.world.timeout(self.random.lognormvariate(np.log(CASE_S) - 0.125, 0.5))
            yield travels
            yield from self.ask("answer")
        self.present -= 1


def simulate(what: Deployment, costs: dict[str, Cost], disk_ms: float, connections: int, given) -> None:
    """Simulate the readers, and print their waiting times and how busy each part was."""
    house, random_ = House(what, costs, disk_ms, given.seed), random.Random(given.seed)
    readers = [
        house.world.process(house.read(random_.uniform(0, given.within), given.cases)) for _ in range(given.readers)
    ]
    house.world.run(house.world.all_of(readers))
    print(f"\n{what.name}: the last after {house.world.now / 60:.0f} min, up to {house.most} in the room at once")
    for asked, waits in house.waits.items():
        median, most = np.percentile(waits, [50, 95])
        print(f"  {asked:10} {1000 * median:9.0f} ms (median) {1000 * most:9.0f} ms (95 %)")
    for part, resource in house.parts.items():
        capacity = 1 if part.startswith(("disk", "line")) else resource.capacity
        print(f"  {100 * house.busy[part] / house.world.now / capacity:5.1f} % busy: {part}")
    needed = what.processes * connections
    print(f"  {needed} connections to PostgreSQL" + (" (its default takes 100)" if needed > 97 else ""))


def main() -> None:
    """Measure the costs, calculate the load, then simulate every deployment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("DISCERN_TEST_DATABASE_URL"), help="PostgreSQL, empty")
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--within", type=float, default=300, help="seconds in which they open the link")
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if not given.database:
        print("needs an empty PostgreSQL: see the top of the file")
        return
    costs, connections = measure(given.database, cases=20, count=20)
    disk_ms = sync_ms(".")
    for what, cost in costs.items():
        print(f"{what:10} {cost.app_ms:5.1f} ms of the server, {cost.database_ms:5.1f} ms of PostgreSQL")
    print(f"disk: {disk_ms:.1f} ms for 8 kB; {connections} connections a worker process")
    rate = given.readers / CASE_S
    per_case = [costs["answer"], costs["image"]]
    print(
        f"on paper, {given.readers} readers in the room: {rate:.0f} answers/s, "
        f"{rate * sum(cost.app_ms for cost in per_case) / 1000:.1f} cores of servers, "
        f"{rate * sum(cost.database_ms for cost in per_case) / 1000:.1f} of PostgreSQL, "
        f"{rate * sum(cost.bytes for cost in per_case) * 8 / 1e9:.1f} Gbit/s"
    )
    for deployment in DEPLOYMENTS:
        simulate(deployment, costs, disk_ms, connections, given)


if __name__ == "__main__":
    main()
