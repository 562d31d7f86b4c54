"""`python -m services.runner`: takes `job.submitted`, runs images through models."""

from shared.sandbox import remove_leftovers

from services.runner.handler import JobHandler, resources
from shared.engine import host_slots
from shared.service import Parts, run_worker
from shared.worker import Worker


def slots(parts: Parts) -> int:
    """Jobs at once, from CPU and memory of this host unless CLINAI_RUNNER_SLOTS says otherwise."""
    return host_slots(parts.work.runner_slots, memory_bytes=resources(parts.limits), cpus=parts.limits.cpus)


async def make(parts: Parts) -> Worker:
    """Remove the containers a killed process left, and return the worker."""
    await remove_leftovers(parts.docker, instance=parts.instance.instance, worker=parts.worker)
    handler = JobHandler(parts)
    return Worker(
        "job",
        durable="runner",
        filter_subject="job.submitted.>",
        worker=parts.worker,
        slots=slots(parts),
        pool=parts.pool,
        bus=parts.bus,
        outbox=parts.outbox,
        work=parts.work,
        handle=handler.handle,
        discard=handler.discard,
        failure=handler.failure,
        settled=handler.settled,
    )


if __name__ == "__main__":
    run_worker("runner", make, slots=slots)
