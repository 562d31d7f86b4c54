"""`python -m services.builder`: takes `version.uploaded`, makes images out of packages."""

import asyncio

from services.builder.bases import Bases
from services.builder.dependencies import DependencyImages
from services.builder.handler import BuildHandler
from services.builder.index import index_access
from services.builder.install import Installer
from services.builder.network import BuildNetwork
from services.builder.reconcile import remove_unfinished
from services.builder.resolutions import Resolution, Resolutions
from services.builder.room import Room, keep_room
from services.builder.weights import WeightsFetcher
from services.builder.wheels import Wheels, WheelStore
from shared import settings
from shared.engine import host_slots
from shared.sandbox.engine import engine_faults
from shared.service import Parts, run_worker, worker_of
from shared.settings import load
from shared.worker import Worker


def slots(parts: Parts) -> int:
    """Builds at once, from CPU and memory of this host unless CLINAI_BUILDER_SLOTS says otherwise."""
    limits = parts.limits
    return host_slots(parts.work.builder_slots, memory_bytes=limits.build_memory_bytes, cpus=limits.build_cpus)


def make_handler(parts: Parts, index: settings.Index) -> BuildHandler:
    """Put together what builds share. Raises SystemExit for a setting that cannot work, naming it."""
    access = index_access(index)
    bases = Bases(parts.docker, parts.engine)
    local = settings.docker_host(parts.engine).startswith("unix://")
    wheels = WheelStore(parts.instance.data / "cache" / "wheels", load(Wheels), index, access.ca_bundle)
    return BuildHandler(
        parts,
        bases=bases,
        network=BuildNetwork(parts.docker, index, local_engine=local),
        resolutions=Resolutions(bases, access, load(Resolution)),
        dependencies=DependencyImages(parts.engine.registry, bases, access, Installer(bases, access, wheels)),
        weights=WeightsFetcher(
            allowed_hosts=index.allowed_hosts,
            ca_bundle=access.ca_bundle,
            proxy=index.https_proxy or index.http_proxy,
        ),
    )


def make_worker(parts: Parts, handler: BuildHandler) -> Worker:
    """Return the worker that hands claimed versions to `handler`."""
    return worker_of(parts, "version", slots=slots(parts), handler=handler)


async def make(parts: Parts) -> Worker:
    """Remove what a killed process left, get the base image ready beside the first builds, and return the worker."""
    instance = parts.instance.instance
    with engine_faults("looking for what a former builder left"):
        await remove_unfinished(parts.docker, parts.pool, instance=instance, worker=parts.worker)
    handler = make_handler(parts, load(settings.Index))
    room = keep_room(parts.docker, parts.pool, load(Room), instance=instance, busy=handler.dependencies_in_use)
    tasks = [asyncio.create_task(handler.warm_up(), name="warm-up"), asyncio.create_task(room, name="room")]

    async def stop() -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    parts.stack.push_async_callback(stop)
    return make_worker(parts, handler)


if __name__ == "__main__":
    run_worker("builder", make, slots=slots)
