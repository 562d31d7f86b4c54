"""`python -m services.runner`: takes `job.submitted` and chunks of batches, runs images through models."""

from uuid import UUID

import structlog
from nats.aio.msg import Msg

from services.runner.affinity import Affinity
from services.runner.batches.chunk import ChunkHandler
from services.runner.batches.turns import JobsFirst, Turns
from services.runner.batches.worker import BatchWorker
from services.runner.handed import HandedInputs
from services.runner.handler import JobHandler
from services.runner.images import ensure_image
from services.runner.pool import SandboxPool, pool_size
from services.runner.spec import pool_key, resources, waiting_spec, warm_up
from shared.background import background
from shared.db import load_queries
from shared.engine import host_slots
from shared.sandbox import remove_leftovers
from shared.service import Parts, run_worker, worker_of
from shared.worker import Worker

log = structlog.get_logger()
_queries = load_queries("runs")


def slots(parts: Parts) -> int:
    """Jobs at once, from CPU and memory of this host unless CLINAI_RUNNER_SLOTS says otherwise."""
    return host_slots(parts.work.runner_slots, memory_bytes=resources(parts.limits), cpus=parts.limits.cpus)


async def make(parts: Parts) -> Worker:
    """Remove the containers a killed process left, and return the worker."""
    await remove_leftovers(parts.docker, instance=parts.instance.instance, worker=parts.worker)
    sandboxes = await _open_sandboxes(parts)
    count = slots(parts)
    turns = Turns(count)
    batches = BatchWorker(parts, ChunkHandler(parts, sandboxes, turns), slots=count)
    await parts.stack.enter_async_context(batches.running())
    inputs = HandedInputs()
    affinity = Affinity(parts.bus, sandboxes, inputs)
    worker = worker_of(
        parts,
        "job",
        slots=count,
        handler=JobsFirst(JobHandler(parts, sandboxes, inputs), turns),
        elsewhere=affinity.elsewhere if sandboxes.keeps else None,
    )
    await parts.stack.enter_async_context(background(affinity.listen(worker), "affinity"))
    return worker


async def _open_sandboxes(parts: Parts) -> SandboxPool:
    """The waiting sandboxes, tended and prewarmed until the service stops."""
    sandboxes = SandboxPool(
        parts.docker, parts.scratch, size=pool_size(parts.work.warm_sandboxes), idle_s=parts.work.warm_idle_s
    )
    parts.stack.push_async_callback(sandboxes.close)
    if not sandboxes.keeps:
        return sandboxes
    await parts.stack.enter_async_context(background(sandboxes.tend(), "sandboxes"))

    async def on_ready(message: Msg) -> None:
        """A version became READY: its owner will try it soon."""
        try:
            version = await _queries.version_to_run(parts.pool, id=UUID(message.subject.rsplit(".", 1)[-1]))
            if version is not None and version["docker_image_digest"]:
                owner = version["owner_id"]
                image = await ensure_image(parts.docker, version)
                spec = waiting_spec(parts, version, image, owner)
                sandboxes.prewarm(pool_key(version, owner), spec, warm_up(version))
        except Exception as error:
            log.info("not prewarmed", subject=message.subject, error=repr(error))

    await parts.bus.nc.subscribe("version.ready.>", cb=on_ready)
    return sandboxes


if __name__ == "__main__":
    run_worker("runner", make, slots=slots)
