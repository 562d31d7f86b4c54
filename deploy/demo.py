"""`python -m deploy demo`: the example model from its folder to a result, through the same doors as any user.

REST and the WebSocket only (deploy/demo_client.py); every line of the build's log and every change of state is printed
as it comes. A second run signs in again, reuses the model and makes its next version.
"""

import asyncio
import contextlib
import json
import re
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.demo_client import ApiError, Client
from deploy.embedded.platform import ROOT, LauncherError, Platform

Say = Callable[[str], None]
EXAMPLE = ROOT / "example-model"
MODEL_NAME = "Grayscale (demo)"
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
SETTLE_S = 10.0


def run(platform: Platform, say: Say) -> int:
    """Take the example model to a result and print where it lies.

    Interrupted, it cancels what it started and leaves the platform running. Raises LauncherError with one line.
    """
    try:
        asyncio.run(_demo(platform, say))
    except KeyboardInterrupt:
        raise LauncherError(
            "interrupted; what ran is canceled, and the platform stays up (`make down` stops it)"
        ) from None
    return 0


async def _demo(platform: Platform, say: Say) -> None:
    started = time.monotonic()
    sample = _sample()
    base = f"http://localhost:{platform.ports['edge']}"
    async with Client(base, "demo", platform.secrets["demo_password"]) as client:
        made = await client.sign_in()
        say("account demo made" if made else "signed in as demo")
        model = await _model(client, say)
        version = await _upload(client, model, say)
        await _build(client, version, say)
        job, seconds = await _job(client, version, sample, say)
        folder = platform.data / "demo" / version["version_number"]
        files = await _download(client, job, folder)
        result = (await client.call("GET", f"/api/jobs/{job}"))["result"]
    say(f"result {json.dumps(result)}, {seconds:.2f} s after run, {time.monotonic() - started:.1f} s after sign-in")
    picture = next((f for f in files if f.suffix in PICTURES), files[0])
    print(f"""
output image   {picture}
output folder  {folder}
web page       {base}/   (sign in as demo; the password is in {platform.passwords})
API            {base}/api
API reference  {base}/docs""", flush=True)  # fmt: skip


def _sample() -> Path:
    if not (EXAMPLE / "predict.py").exists():
        raise LauncherError(f"{EXAMPLE} has no predict.py: the example model is part of the repository; restore it")
    found = sorted(p for p in EXAMPLE.iterdir() if p.suffix in PICTURES)
    if not found:
        raise LauncherError(f"{EXAMPLE} has no sample image: restore it from the repository")
    return found[0]


async def _model(client: Client, say: Say) -> str:
    """Id of the demo's model, made the first time."""
    me, cursor = await client.call("GET", "/api/users/me"), ""
    while True:
        page = await client.call("GET", f"/api/models/?limit=100{cursor}")
        for model in page["items"]:
            if model["name"] == MODEL_NAME and model["owner_id"] == me["id"]:
                return str(model["id"])
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    body = {"name": MODEL_NAME, "description": "Colours to grays: example-model/", "is_public": False}
    made = await client.call("POST", "/api/models/", body)
    say(f"model {MODEL_NAME} made")
    return str(made["id"])


async def _upload(client: Client, model: str, say: Say) -> dict[str, str]:
    """Make the model's next version and upload the package; returns its id and number."""
    versions = (await client.call("GET", f"/api/models/{model}/versions?limit=100"))["items"]
    numbers = [int(v["version_number"][1:]) for v in versions if re.fullmatch(r"v\d{1,9}", v["version_number"])]
    number = max(numbers, default=0)
    while True:
        number += 1
        try:
            body = {"model_id": model, "version_number": f"v{number}"}
            made = await client.call("POST", "/api/models/versions", body)
            break
        except ApiError as error:
            if error.status != 409:  # another demo took the number
                raise
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "model.zip"
        names = _pack(package)
        say(f"version v{number}: uploading {', '.join(names)} ({package.stat().st_size} bytes)")
        await client.put(made["upload_url"], package)
    return {"id": made["version_id"], "version_number": f"v{number}"}


def _pack(package: Path) -> list[str]:
    """Zip the example's files but its sample image; returns their names."""
    files = [p for p in sorted(EXAMPLE.rglob("*")) if p.is_file() and "__pycache__" not in p.parts]
    names = []
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            if file.suffix not in PICTURES:
                names.append(str(file.relative_to(EXAMPLE)))
                archive.write(file, names[-1])
    return names


async def _build(client: Client, version: dict[str, str], say: Say) -> None:
    path, started = f"/api/models/versions/{version['id']}", time.monotonic()
    end = await _follow(client, "version", version["id"], path, "build", say)
    if end["status"] != "READY":
        raise LauncherError(
            f"the build of {version['version_number']} ended as {end['status']} {end['error_code'] or ''}: "
            f"{end['error_message'] or 'no message'} (the log is above; `make logs S=builder` has the builder's own)"
        )
    seconds = time.monotonic() - started
    say(f"{version['version_number']} is READY after {seconds:.1f} s: {end['docker_image_digest']}")


async def _job(client: Client, version: dict[str, str], sample: Path, say: Say) -> tuple[str, float]:
    """Run the sample image; returns the job's id and the seconds from `run` to its end."""
    made = await client.call("POST", "/api/jobs/", {"version_id": version["id"]})
    job = str(made["job_id"])
    say(f"job: uploading {sample.name}")
    await client.put(made["upload_url"], sample)
    started = time.monotonic()
    end = await _follow(client, "job", job, f"/api/jobs/{job}", "run", say)
    if end["status"] != "SUCCEEDED":
        raise LauncherError(
            f"the job ended as {end['status']} {end['error_code'] or ''}: {end['error_message'] or 'no message'} "
            "(`make logs S=runner` has the runner's own log)"
        )
    return job, time.monotonic() - started


async def _follow(client: Client, noun: str, object_id: str, path: str, verb: str, say: Say) -> dict[str, Any]:
    """Start what is to be watched, print its lines and states as they come, and return its end.

    Canceled or failed on our side, it cancels the object.
    """
    shown, end = "", dict[str, Any]()
    try:
        async with contextlib.aclosing(client.watch(noun, object_id, path)) as happenings:
            async for what in happenings:
                if not what:
                    await client.call("POST", f"{path}/{verb}")
                elif "line" in what:
                    print(f"  │ {CONTROL.sub('', what['line'])}", flush=True)
                else:
                    end = what
                    if what["status"] != shown:
                        shown = what["status"]
                        say(f"{noun} {shown}")
        return end
    except BaseException:
        with contextlib.suppress(LauncherError, TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await client.call("POST", f"{path}/cancel")
        raise


async def _download(client: Client, job: str, folder: Path) -> list[Path]:
    """Fetch every output of a job into `folder`; returns the files."""
    files = []
    for output in (await client.call("GET", f"/api/jobs/{job}/outputs"))["outputs"]:
        target = folder / output["name"]
        if ".." in target.parts or not target.is_relative_to(folder):
            raise LauncherError(f"the platform names an output {output['name']!r}, outside its folder: not downloaded")
        target.parent.mkdir(parents=True, exist_ok=True)
        await client.fetch(output["url"], target)
        files.append(target)
    if not files:
        raise LauncherError(f"job {job} has no output file; see /api/jobs/{job}/outputs")
    return files
