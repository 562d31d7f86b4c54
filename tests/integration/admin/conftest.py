"""Users, models, versions and jobs with all that belongs to them: objects, images, events."""

import io
import secrets
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import aiodocker
import pytest

from shared import settings, transitions
from shared.bus import BusConnection
from shared.db import Pool
from shared.engine import open_engine
from shared.ids import new_id
from shared.outbox import Outbox
from shared.registry import Registry, open_registry
from shared.settings import load
from shared.storage import ObjectStore
from tests.integration.api.conftest import api, gateway, origin, sign_up
from tests.platforms import TestPlatform

__all__ = ["api", "gateway", "origin", "sign_up"]


@dataclass(frozen=True)
class OpenParts:
    """What removals need; the gateway's context has the same."""

    pool: Pool
    bus: BusConnection
    outbox: Outbox
    storage: ObjectStore
    docker: aiodocker.Docker
    engine: settings.Engine
    instance: settings.Instance


@pytest.fixture
async def docker(parts: TestPlatform) -> AsyncIterator[aiodocker.Docker]:
    """The engine, without images of this platform's label before and after a test: builds of other files leave some."""
    async with open_engine(load(settings.Engine, parts.env)) as engine:
        await remove_images(engine, parts)
        yield engine
        await remove_images(engine, parts)


async def remove_images(engine: aiodocker.Docker, parts: TestPlatform) -> None:
    """Remove every image with the platform's label, those that others are built on last."""
    label = [f"clinai.instance={parts.env['CLINAI_INSTANCE']}"]
    refused: dict[str, str] = {}
    while found := await engine.images.list(filters={"label": label}):
        before = dict(refused)
        refused.clear()
        for image in found:
            try:
                await engine.images.delete(image["Id"], force=True)
            except aiodocker.DockerError as error:
                if error.status != 404:  # went with an image that was its child
                    refused[image["Id"]] = error.message
        assert not refused or refused != before, refused


@pytest.fixture
async def open_parts(
    parts: TestPlatform, pool: Pool, bus: BusConnection, outbox: Outbox, storage: ObjectStore, docker: aiodocker.Docker
) -> OpenParts:
    """The session's parts, with an empty bucket and an empty registry."""
    await storage.delete_prefix("")
    async for key, upload, _ in storage.list_multiparts(""):
        await storage.abort_multipart(key, upload)
    engine, instance = load(settings.Engine, parts.env), load(settings.Instance, parts.env)
    async with open_registry(engine.registry) as client:
        async for repository in client.repositories():
            for tag in await client.tags(repository):
                if (digest := await client.digest(repository, tag)) is not None:
                    await client.delete(repository, digest)
    return OpenParts(pool, bus, outbox, storage, docker, engine, instance)


@pytest.fixture
async def registry(open_parts: OpenParts) -> AsyncIterator[Registry]:
    """The session's registry."""
    async with open_registry(open_parts.engine.registry) as client:
        yield client


class World:
    """Makes rows and things as the services would have left them."""

    def __init__(self, parts: OpenParts) -> None:
        self.parts = parts

    async def user(self, role: str = "user") -> UUID:
        """An account with a session, a refresh token and a ticket."""
        user, session = new_id(), new_id()
        name = f"u{secrets.token_hex(6)}"
        await self.parts.pool.execute(
            "INSERT INTO users (id, username, email, hashed_password, role) VALUES ($1, $2, $2 || '@x.org', 'x', $3)",
            user,
            name,
            role,
        )
        await self.parts.pool.execute(
            "INSERT INTO sessions (id, user_id, expires_at) VALUES ($1, $2, now() + interval '1 day')", session, user
        )
        await self.parts.pool.execute(
            "INSERT INTO refresh_tokens (token_hash, session_id) VALUES ($1, $2)", secrets.token_bytes(32), session
        )
        await self.parts.pool.execute(
            "INSERT INTO live_tickets (ticket_hash, user_id, expires_at) VALUES ($1, $2, now())",
            secrets.token_bytes(32),
            user,
        )
        return user

    async def model(self, owner: UUID) -> UUID:
        """A public model."""
        model = new_id()
        await self.parts.pool.execute(
            "INSERT INTO models (id, owner_id, name, is_public) VALUES ($1, $2, 'm', true)", model, owner
        )
        return model

    async def version(self, model: UUID, package: bytes, *, image_of: UUID | None = None, image: bool = True) -> UUID:
        """A READY version with package, log and image (its own, or the one that an earlier version made)."""
        pool, version, key = self.parts.pool, new_id(), f"packages/sha256/{sha256(package).hexdigest()}"
        owner = await pool.fetchval("SELECT owner_id FROM models WHERE id = $1", model)
        await self.parts.storage.put(key, package)
        await self.parts.storage.put(f"logs/versions/{version}/1.log", b"built")
        reference = digest = None
        if image_of is not None:
            reference, digest = await pool.fetchrow(
                "SELECT docker_image, docker_image_digest FROM versions WHERE id = $1", image_of
            )
        await pool.execute(
            "INSERT INTO versions (id, model_id, owner_id, version_number, upload_key, status, epoch, package_path,"
            " package_sha256, package_size, image_bytes, docker_image, docker_image_digest, log_path)"
            " VALUES ($1, $2, $3, $4, $5, 'READY', 1, $6, $7, $8, 10, $9, $10, $11)",
            *(version, model, owner, secrets.token_hex(4), f"quarantine/{version}", key, sha256(package).hexdigest()),
            *(len(package), reference, digest, f"logs/versions/{version}/1.log"),
        )
        if image and image_of is None:
            reference, digest = await self.image(version)
            await pool.execute(
                "UPDATE versions SET docker_image = $2, docker_image_digest = $3 WHERE id = $1",
                version,
                reference,
                digest,
            )
        return version

    async def job(self, version: UUID, user: UUID, image: bytes = b"picture") -> UUID:
        """A job that succeeded, with input, output and log, and its events sent."""
        pool, job, key = self.parts.pool, new_id(), f"inputs/sha256/{sha256(image).hexdigest()}"
        await self.parts.storage.put(key, image)
        await self.parts.storage.put(f"jobs/{job}/1/out.png", b"output")
        await self.parts.storage.put(f"logs/jobs/{job}/1.log", b"ran")
        await self.queued(version, user, job)
        await transitions.move(pool, "job", "claim_job", id=job, worker="w", lease_s=60)
        output = {"name": "out.png", "key": f"jobs/{job}/1/out.png", "size": 6}
        await transitions.move(
            pool,
            "job",
            "finish_job",
            id=job,
            epoch=1,
            status="SUCCEEDED",
            input_path=key,
            input_sha256=sha256(image).hexdigest(),
            input_size=len(image),
            input_type="image/png",
            output_paths=[output["key"]],
            outputs=[output],
            result={"secret": "yes"},
            timings={},
            log_path=f"logs/jobs/{job}/1.log",
            error_code=None,
            error_message=None,
        )
        await self.parts.outbox.publish(job)
        await self.parts.bus.js.publish(f"log.job.{user}.{job}", b"a line")
        return job

    async def queued(self, version: UUID, user: UUID, job: UUID | None = None) -> UUID:
        """A job that waits for a runner."""
        job = job or new_id()
        key = f"quarantine/{job}"
        await self.parts.storage.put(key, b"picture")
        await self.parts.pool.execute(
            "INSERT INTO jobs (id, version_id, user_id, upload_key) VALUES ($1, $2, $3, $4)", job, version, user, key
        )
        await transitions.move(
            self.parts.pool, "job", "queue_job", id=job, upload_size=7, upload_etag="e", deadline_s=600
        )
        return job

    async def image(
        self, version: UUID | None, *, epoch: int = 1, base: str = "scratch", repository: str = ""
    ) -> tuple[str, str]:
        """Build a small labelled image, push it, and return (reference, digest)."""
        host, instance = self.parts.engine.registry, self.parts.instance.instance
        tag = repository or f"clinai/model-{version}"
        reference = f"{host}/{tag}:{epoch}"
        labels = f"LABEL clinai.kind=image clinai.instance={instance}" + (
            f" clinai.version={version} clinai.epoch={epoch}" if version else ""
        )
        content = secrets.token_bytes(1000)
        await self._build(f"FROM {base}\n{labels}\nCOPY some /{secrets.token_hex(4)}\n", content, reference)
        digest = ""
        async for item in self.parts.docker.images.push(reference, stream=True):
            digest = (item.get("aux") or {}).get("Digest", digest)
        assert digest.startswith("sha256:")
        return reference, digest

    async def _build(self, dockerfile: str, content: bytes, reference: str) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, data in (("Dockerfile", dockerfile.encode()), ("some", content)):
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
        packed.seek(0)
        said = [
            item
            async for item in self.parts.docker.images.build(
                fileobj=packed, encoding="identity", tag=reference, stream=True
            )
        ]
        assert not [item for item in said if "error" in item], said

    async def keys(self) -> set[str]:
        """Every key in the bucket."""
        return {key async for key, _ in self.parts.storage.list_keys("")}

    async def count(self, table: str) -> int:
        """Rows of a table."""
        return int(await self.parts.pool.fetchval(f"SELECT count(*) FROM {table}"))

    async def messages(self, stream: str) -> int:
        """Messages in a stream."""
        return (await self.parts.bus.js.stream_info(stream)).state.messages


@pytest.fixture
def world(open_parts: OpenParts) -> World:
    """A maker of things on the session's parts."""
    return World(open_parts)
