"""The engine's side: cancellation, a container killed from outside, leftovers, several jobs in one sandbox."""

import asyncio
import secrets
from pathlib import Path
from textwrap import dedent

import aiodocker
import msgspec
import pytest

from shared.errors import PlatformFault
from shared.sandbox import JobRequest, Outcome, SandboxSpec, open_session, remove_leftovers, run_once
from shared.sandbox import session as session_module
from shared.sandbox.engine import container_config
from tests.hostile.conftest import INPUT, Run, sandboxes

pytestmark = pytest.mark.hostile

FOREVER = "import time\ndef run(i, o):\n    print('running', flush=True)\n    time.sleep(600)"


def request(folder: Path, code: str) -> JobRequest:
    (folder / "input").write_bytes(INPUT)
    return JobRequest(input_path=folder / "input", input_name="image.png", params={"code": dedent(code)})


async def test_cancel_while_running(docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path) -> None:
    running = asyncio.Event()
    job = request(tmp_path, FOREVER)
    task = asyncio.create_task(
        run_once(docker, spec, job, outputs_dir=tmp_path / "out", on_log=lambda line: running.set())
    )
    await running.wait()
    assert len(await sandboxes(docker, spec)) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await sandboxes(docker, spec) == []


@pytest.mark.parametrize("after_ms", [0, 2, 5, 10, 20, 40, 60, 80, 100, 130, 160, 200])
async def test_cancel_at_any_moment(docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path, after_ms: int) -> None:
    """Whatever is awaited at that moment; a second cancellation while it is being removed changes nothing."""
    job = request(tmp_path, FOREVER)
    task = asyncio.create_task(run_once(docker, spec, job, outputs_dir=tmp_path / "out", on_log=lambda line: None))
    await asyncio.wait([task], timeout=after_ms / 1000)
    task.cancel()
    await asyncio.wait([task], timeout=0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await sandboxes(docker, spec) == []


async def test_container_killed_from_outside_is_a_platform_fault(
    docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path
) -> None:
    running = asyncio.Event()
    job = request(tmp_path, FOREVER)
    task = asyncio.create_task(
        run_once(docker, spec, job, outputs_dir=tmp_path / "out", on_log=lambda line: running.set())
    )
    await running.wait()
    (container,) = await sandboxes(docker, spec)
    await docker.containers.container(container).kill()
    with pytest.raises(PlatformFault, match="exit code 137"):
        await task
    assert await sandboxes(docker, spec) == []


@pytest.mark.parametrize(("held", "end"), [("stopped", "TIMEOUT"), ("paused", None)])
async def test_sandbox_that_does_not_answer(
    docker: aiodocker.Docker,
    spec: SandboxSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    held: str,
    end: str | None,
) -> None:
    """A stopped pid 1 stands for one that a model starved; a paused container is the operator's doing."""
    monkeypatch.setattr(session_module, "MARGIN_S", 1.0)
    spec = msgspec.structs.replace(spec, timeout_s=1.0)
    running = asyncio.Event()
    job = request(tmp_path, FOREVER)
    task = asyncio.create_task(
        run_once(docker, spec, job, outputs_dir=tmp_path / "out", on_log=lambda line: running.set())
    )
    await running.wait()
    (name,) = await sandboxes(docker, spec)
    container = docker.containers.container(name)
    await (container.kill(signal="SIGSTOP") if held == "stopped" else container.pause())
    if end is None:
        with pytest.raises(PlatformFault, match="paused"):
            await task
    else:
        outcome = await task
        assert (outcome.code, "within 1 s" in outcome.message) == (end, True)
    assert await sandboxes(docker, spec) == []


async def test_container_removed_from_outside_is_a_platform_fault(
    docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path
) -> None:
    running = asyncio.Event()
    job = request(tmp_path, FOREVER)
    task = asyncio.create_task(
        run_once(docker, spec, job, outputs_dir=tmp_path / "out", on_log=lambda line: running.set())
    )
    await running.wait()
    assert await remove_leftovers(docker, instance=spec.labels["clinai.instance"], jobs=[spec.labels["clinai.job"]])
    with pytest.raises(PlatformFault):
        await task


async def test_image_that_is_not_there_is_a_platform_fault(run: Run) -> None:
    with pytest.raises(PlatformFault, match="creating a sandbox"):
        await run("", image=f"sha256:{'0' * 64}")


async def test_engine_that_is_not_there_is_a_platform_fault(spec: SandboxSpec, tmp_path: Path) -> None:
    async with aiodocker.Docker(url=f"unix://{tmp_path}/none.sock") as nowhere:
        with pytest.raises(PlatformFault, match="creating a sandbox"):
            await run_once(nowhere, spec, request(tmp_path, ""), outputs_dir=tmp_path, on_log=lambda line: None)


async def test_sandbox_ends_by_itself_when_its_host_is_gone(
    docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path
) -> None:
    """As after `kill -9` of a worker: the connection is cut, nobody removes anything, the model must not go on."""
    config = container_config(spec)
    container = await docker.containers.create(config)
    try:
        async with container.attach(stdin=True, stdout=True, stderr=True) as stream:
            await container.start()
            hello = await stream.read_out()
            assert hello is not None
        async with asyncio.timeout(10):
            assert (await container.wait())["StatusCode"] == 0
    finally:
        await container.delete(force=True)


async def test_leftovers_are_found_by_their_labels(docker: aiodocker.Docker, spec: SandboxSpec) -> None:
    instance = f"hostile-{secrets.token_hex(4)}"
    made = {}
    for worker, job in (("a", "1"), ("a", "2"), ("b", "3")):
        labels = {"clinai.instance": instance, "clinai.worker": worker, "clinai.job": job}
        config = container_config(msgspec.structs.replace(spec, labels=labels))
        made[job] = (await docker.containers.create(config)).id
    assert await remove_leftovers(docker, instance="another") == []
    assert await remove_leftovers(docker, instance=instance, worker="a", jobs=["2"]) == [made["2"]]
    assert await remove_leftovers(docker, instance=instance, worker="a") == [made["1"]]
    assert await remove_leftovers(docker, instance=instance) == [made["3"]]
    assert await remove_leftovers(docker, instance=instance) == []


async def test_jobs_one_after_the_other_in_one_sandbox(
    docker: aiodocker.Docker, spec: SandboxSpec, tmp_path: Path
) -> None:
    """Nothing of a job is there for the next one, and a fault of one is not the next one's."""
    leave = """
        import os
        def run(i, o):
            for top in (o, "/tmp", "/dev/shm"):
                os.chdir(top)
                for _ in range(40):
                    os.mkdir("d")
                    open("file", "w").close()
                    os.chdir("d")
                os.chmod(".", 0)
            os.symlink("/app", "/tmp/link")
            raise RuntimeError("left a mess")
    """
    look = """
        import os
        def run(i, o):
            processes = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
            return {
                "found": [os.listdir(top) for top in (o, "/tmp", "/dev/shm")],
                "processes": processes, "input": os.listdir("/workspace/in"),
            }
    """
    outcomes: list[Outcome] = []
    async with open_session(docker, spec) as session:
        for number, code in enumerate((leave, look, leave, look)):
            folder = tmp_path / str(number)
            (folder / "out").mkdir(parents=True)
            await session.load()
            job = request(folder, code)
            outcomes.append(await session.run(job, outputs_dir=folder / "out", on_log=lambda line: None))
    assert [outcome.code for outcome in outcomes] == ["MODEL_ERROR", None, "MODEL_ERROR", None]
    clean = {"found": [[], [], []], "processes": ["1"], "input": ["image.png"]}
    assert [outcomes[1].result, outcomes[3].result] == [clean, clean]
    assert await sandboxes(docker, spec) == []
