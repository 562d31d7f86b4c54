"""Jobs that no sandbox waits for."""

from tests.bench.group import Bench
from tests.bench.numbers import Number
from tests.bench.steps import example_version, run_by_hand, sample_image, timings
from tests.client import Client


async def measure_cold(bench: Bench) -> list[Number]:
    """The first job of a tenant on a version whose image is here, each beside one `docker run` of that image.

    A sandbox never serves two tenants, so each new user's first job opens one, whoever else's are waiting.
    """
    version, image = await example_version(bench), sample_image()
    ours, theirs, inner = [], [], []
    for _ in range(bench.times(20)):
        async with Client(bench.platform.url) as client:
            path = f"/api/models/versions/{version['id']}/predict?inline=true"
            answer = await client.http.post(path, content=image)
            job = answer.raise_for_status().json()
            assert job["status"] == "SUCCEEDED", job
            ours.append(answer.elapsed.total_seconds())
            inner.append(job["timings"])
        theirs.append(await run_by_hand(bench.docker, version["docker_image"], image))
    by_hand = Number("docker run of the same image, by hand", "s", theirs)
    own = Number("first job on a cold version, image present", "s", ours, goal=0.7)
    return [own.with_(beside=f"{own.p50 / by_hand.p50:.2f} of docker run; {timings(inner)}"), by_hand]
