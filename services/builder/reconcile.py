"""What a killed builder left in the engine: build containers, and images whose version never became READY."""

import aiodocker
import structlog

from services.builder import registry
from services.builder.container import remove_build_containers
from shared.db import Pool, load_queries
from shared.sandbox import remove_leftovers

log = structlog.get_logger()
_queries = load_queries("builds")


async def remove_unfinished(docker: aiodocker.Docker, pool: Pool, *, instance: str, worker: str) -> None:
    """Remove containers, sandboxes and images that a former process of this worker did not finish.

    Call it before work is taken: nothing of this worker is under way then. May be called twice.
    """
    containers = await remove_build_containers(docker, instance=instance, worker=worker)
    sandboxes = len(await remove_leftovers(docker, instance=instance, worker=worker))
    images = await remove_unfinished_images(docker, pool, instance=instance, worker=worker)
    if containers or sandboxes or images:
        log.info("removed what was left behind", containers=containers, sandboxes=sandboxes, images=images)


async def remove_unfinished_images(docker: aiodocker.Docker, pool: Pool, *, instance: str, worker: str) -> int:
    """Remove model images of this worker that no READY version uses; return how many there were.

    Those of other workers on the same engine are theirs to judge: a build of theirs may be under way.
    """
    labels = [f"clinai.instance={instance}", "clinai.kind=image", f"clinai.worker={worker}", "clinai.version"]
    found = await docker.images.list(filters={"label": labels})
    references = {tag for image in found for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"}
    used = {row["docker_image"] async for row in _queries.images_in_use(pool, references=sorted(references))}
    for reference in sorted(references - used):
        await registry.remove_image(docker, reference)
    return len(references - used)
