"""Who takes part, each with 4 jobs at once, as its own documentation sets it up."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from benchmarks.harness.setting import Setting
from benchmarks.peers.peer import Peer
from benchmarks.peers.servers import no_server, postgres, redis
from benchmarks.peers.task_spooler import TaskSpooler

_REDIS = "Redis by default saves now and then: what it acknowledged since can be lost"

NO_QUEUE = Peer(name="no queue (posix_spawn)", app="no_queue", worker=())
QUEUECTL = Peer(name="queuectl", app="queuectl_api", worker=("queuectl", "run", "--slots", "4"))

TASK_SPOOLER = TaskSpooler(
    name="task-spooler",
    app="task_spooler",
    worker=(),
    jobs=500,
    note="a waiting job is a process, so it gets fewer; its queue is kept in memory",
)
HUEY = Peer(
    name="huey, SQLite",
    app="huey_sqlite",
    worker=("huey_consumer", "benchmarks.apps.huey_sqlite.huey", "-w", "4", "-q"),
    package="huey",
    jobs=5_000,
    stop=signal.SIGINT,
    note="4 threads; as durable as SQLite is by default (synchronous=FULL)",
)
DRAMATIQ = Peer(
    name="dramatiq, Redis",
    app="dramatiq_redis",
    worker=("dramatiq", "benchmarks.apps.dramatiq_redis", "--processes", "1", "--threads", "4"),
    server=redis,
    package="dramatiq",
    jobs=4_000,
    note=_REDIS,
)
CELERY = Peer(
    name="celery, Redis",
    app="celery_redis",
    worker=("celery", "-A", "benchmarks.apps.celery_redis", "worker", "-c", "4", "-l", "WARNING"),
    server=redis,
    package="celery",
    jobs=2_000,
    note=_REDIS,
)
PROCRASTINATE = Peer(
    name="procrastinate, PostgreSQL",
    app="procrastinate_postgres",
    worker=("procrastinate", "-a", "benchmarks.apps.procrastinate_postgres.app", "worker", "-c", "4"),
    server=postgres,
    package="procrastinate",
    set_up=("procrastinate", "-a", "benchmarks.apps.procrastinate_postgres.app", "schema", "--apply"),
    jobs=1_500,
)
RQ = Peer(
    name="rq, Redis",
    app="rq_redis",
    worker=("rq", "worker-pool", "-n", "4", "-q"),
    server=redis,
    package="rq",
    jobs=400,
    note=_REDIS,
)

_ALL = (TASK_SPOOLER, HUEY, DRAMATIQ, CELERY, PROCRASTINATE, RQ)


def peers(setting: Setting) -> Sequence[Peer]:
    """Return the peers that take part in this run: in a smoke run those that start at once, unless all are wanted."""
    quick = setting.smoke and not setting.all_peers
    return [peer for peer in _ALL if peer.server is no_server or not quick]
