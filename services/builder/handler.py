"""One build, step by step: package → lock → dependency image → model image → smoke test → push (design, section 8)."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiodocker
import aiohttp
import structlog

from services.builder import registry
from services.builder.base_image import BaseImage
from services.builder.bases import Bases
from services.builder.build import Build, image_reference, log_key
from services.builder.check import CheckedPackage, check_package
from services.builder.container import to_the_end
from services.builder.dependencies import DependencyImages
from services.builder.fetch import FetchedPackage, fetch_package, keep_package
from services.builder.image import make_image
from services.builder.lock import Lock
from services.builder.network import BuildNetwork
from services.builder.resolutions import Resolutions
from services.builder.reuse import Image, built_before, recipe
from services.builder.smoke import smoke_test
from services.builder.weights import WeightsFetcher
from shared import transitions
from shared.codes import BuildCode
from shared.crashpoints import crashpoint
from shared.errors import BuildError, LostLease, PlatformFault, WorkError
from shared.events import log_subject
from shared.livelog import LiveLog
from shared.service import Parts
from shared.statuses import VersionStatus
from shared.storage import STORAGE_ERRORS
from shared.worker import Claim, Finish

log = structlog.get_logger()

PLATFORM_ERRORS = (aiodocker.DockerError, aiohttp.ClientError, *STORAGE_ERRORS)


class BuildHandler:
    """Carries out claimed builds; holds only what all of them share."""

    def __init__(
        self,
        parts: Parts,
        *,
        bases: Bases,
        network: BuildNetwork,
        resolutions: Resolutions,
        dependencies: DependencyImages,
        weights: WeightsFetcher,
    ) -> None:
        self._parts = parts
        self._bases = bases
        self._network = network
        self._resolutions = resolutions
        self.dependencies = dependencies
        self._weights = weights
        self._builds: set[Build] = set()

    def dependencies_in_use(self) -> set[str]:
        """Dependency images that builds under way stand on: not to be removed for room."""
        return {build.dependencies for build in self._builds if build.dependencies}

    async def warm_up(self) -> None:
        """Have the network, the base image and its layers in the registry before the first build needs them."""
        try:
            await self._network.ensure()
            base = await self._bases.base(self._parts.engine.python, lambda line: log.info("base image", doing=line))
            await self._bases.pushed(base)
        except Exception as error:  # the builds will say it again, each to its owner
            log.warning("not warmed up", error=repr(error))

    async def handle(self, claim: Claim) -> Finish:
        """Build one version to its end and return how to finish the row.

        Raises PlatformFault when a part of the platform fails. Afterwards nothing of the build is on this host but
        the image of a version that is READY.
        """
        async with self._opened(claim) as build:
            image: Image | None = None
            error: WorkError | None = None
            try:
                async with asyncio.timeout(self._parts.limits.build_s) as limit:
                    image = await self._steps(build)
                    if build.keeping is not None:
                        await build.keeping
            except WorkError as failed:
                error = failed
            except PLATFORM_ERRORS as fault:
                if not limit.expired():  # TimeoutError is an OSError
                    raise PlatformFault(f"{build.phase_name}: {fault or type(fault).__name__}") from fault
                error = BuildError(
                    BuildCode.BUILD_TIMEOUT,
                    f"the build took longer than {self._parts.limits.build_s:g} s; it was at: {build.phase_name}",
                )
            return await self._end(build, image, error)

    async def _steps(self, build: Build) -> Image:
        """The path of a build, to be read from top to bottom."""
        async with build.phase("fetch"):
            fetched = await self._fetch(build)
        async with build.phase("check"):
            package = await self._check(build, fetched)
            base = await self._bases.base(package.python, build.say)
            by = recipe(self._parts, base, dependencies=self.dependencies.recipe(base))
            await self._note(build, fetched, **package.about, build_recipe=by)
            if (image := await built_before(build, fetched, by)) is not None:
                await self._note(build, fetched)
                return image
        async with build.phase("resolve"):
            await self._network.ensure()
            lock = await self._resolutions.lock(build, base, package.requirements)
            build.lock = lock.text
        async with build.phase("dependencies"):
            dependencies = await self._install(build, base, lock, package)
            await self._note(build, fetched, dependency_image=dependencies, wheels_only=lock.wheels_only)
        weights = None
        if package.weights:
            async with build.phase("weights"):
                weights = await self._weights.fetch_all(build, package.weights)
        async with build.phase("image"):
            size = await make_image(build, dependencies, package.content, weights)
        async with build.phase("smoke_test"):
            fitness = await smoke_test(
                build,
                timeout_s=package.timeout_s,
                memory_bytes=package.memory_bytes,
                isolation=package.isolation,
                params=package.params,
            )
            await self._note(build, fetched, sandbox=fitness.about)
        async with build.phase("push"):
            digest = await self._push(build, base, dependencies)
        return Image(reference=build.reference, digest=digest, size=size, lock=lock.text)

    # -- steps ----------------------------------------------------------------------------------------------------

    async def _fetch(self, build: Build) -> FetchedPackage:
        fetched = await fetch_package(build)
        build.say(f"{fetched.size} bytes, sha256 {fetched.sha256}")
        build.keeping = asyncio.create_task(self._keep(build, fetched), name="keep-package")
        return fetched

    async def _keep(self, build: Build, fetched: FetchedPackage) -> None:
        """Copy the package beside what follows; the row names the copy once it is there, and not before."""
        await keep_package(build, fetched)
        build.kept = True
        await self._write_note(build, fetched)

    async def _note(self, build: Build, fetched: FetchedPackage, **about: Any) -> None:
        """Add to what the row says of the package; while that is being copied, the copy's end writes it down."""
        build.about = {**(build.about or {}), **about}
        if build.keeping is not None and build.keeping.done():
            build.keeping.result()
        if build.kept:
            await self._write_note(build, fetched)

    async def _write_note(self, build: Build, fetched: FetchedPackage) -> None:
        async with build.writing:
            noted = await transitions.note(
                self._parts.pool,
                "note_package",
                id=build.claim.id,
                epoch=build.claim.epoch,
                package_path=fetched.key,
                package_sha256=fetched.sha256,
                package_size=fetched.size,
                package_info=build.about,
            )
        if not noted:
            raise LostLease

    async def _check(self, build: Build, fetched: FetchedPackage) -> CheckedPackage:
        package = await check_package(build, fetched)
        for warning in package.warnings:
            build.say(f"Warning: {warning}")
        return package

    async def _install(self, build: Build, base: BaseImage, lock: Lock, package: CheckedPackage) -> str:
        try:
            return await self.dependencies.ensure(build, base, lock, package.requirements)
        except BuildError:
            self._resolutions.forget(lock)
            raise

    async def _push(self, build: Build, base: BaseImage, dependencies: str) -> str:
        await self._bases.pushed(base)
        await self.dependencies.pushed(dependencies)
        digest = await registry.push(self._parts.docker, build.reference)
        build.say(f"{build.reference} is in the registry as {digest}")
        return digest

    # -- the frame ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _opened(self, claim: Claim) -> AsyncIterator[Build]:
        """Give a build its folder and log; whatever its end, the log is stored and nothing is left lying about."""
        folder = self._parts.scratch / f"{claim.id}-{claim.epoch}"
        folder.mkdir()
        limits = self._parts.limits
        sink = LiveLog(
            self._parts.bus,
            log_subject("version", claim.owner_id, claim.id),
            folder / "build.log",
            limit_bytes=limits.build_log_bytes,
            limits=limits,
        )
        try:
            async with sink:
                build = Build(self._parts, claim, folder, sink)
                self._builds.add(build)
                try:
                    async with build.noting():
                        yield build
                except (asyncio.CancelledError, LostLease):
                    build.say("Stopped: the build was canceled, or another worker goes on with it")
                    await to_the_end(self._leave_nothing(build))
                    raise
                except Exception as error:
                    reason = error.message if isinstance(error, PlatformFault) else type(error).__name__
                    build.say(f"The platform failed here ({reason}); the build is tried again")
                    await to_the_end(self._leave_nothing(build))
                    raise
                finally:
                    self._builds.discard(build)
                    await to_the_end(build.settle())
        finally:
            await to_the_end(asyncio.to_thread(shutil.rmtree, folder, True))

    async def _leave_nothing(self, build: Build) -> None:
        with suppress(*PLATFORM_ERRORS):
            await registry.remove_image(self._parts.docker, build.reference)
        try:
            await self._store_log(build)
        except PLATFORM_ERRORS as error:
            log.warning("log not stored", error=repr(error))

    async def _store_log(self, build: Build) -> str:
        """Store the whole log before the end is written, so that who hears of the end can read it."""
        key = log_key(build.claim)
        await self._parts.storage.put_file(key, await build.finish_log(), content_type="text/plain")
        return key

    async def _end(self, build: Build, image: Image | None, error: WorkError | None) -> Finish:
        took = sum(entry["ms"] or 0 for entry in build.phases) / 1000
        if error is not None:
            await build.kept_if_it_can_be()  # its owner may look at a package that failed
            await to_the_end(registry.remove_image(self._parts.docker, build.reference))
            build.say(f"FAILED after {took:.1f} s: {error.code}: {error.message}")
        else:
            build.say(f"READY after {took:.1f} s")
        crashpoint("version.log")
        path = await self._store_log(build)
        log.info("build ended", code=error.code if error else None, seconds=took, phases=build.phases)
        return _finish(
            VersionStatus.FAILED if error else VersionStatus.READY,
            lock=image.lock if image else build.lock,
            docker_image=image.reference if image else None,
            docker_image_digest=image.digest if image else None,
            image_bytes=image.size if image else None,
            phases=build.phases,
            build_logs=build.tail,
            log_path=path,
            error_code=error.code if error else None,
            error_message=error.message if error else None,
        )

    async def discard(self, claim: Claim) -> None:
        """Remove the image of an epoch that somebody newer has overtaken, or that was canceled at the last moment."""
        await registry.remove_image(self._parts.docker, image_reference(self._parts, claim))

    async def settled(self, claim: Claim) -> None:
        """The end is written: the quarantined upload is not needed for a retry any more."""
        await self._parts.storage.delete(claim.row["upload_key"])

    def failure(self, claim: Claim, reason: str) -> Finish:
        """The end of a version that the platform could not build before its deadline."""
        message = (
            f"the platform could not finish this build before its deadline: {PlatformFault(reason).message}. "
            "This is not the model's fault: make a new version, and tell the operator when it persists."
        )
        return _finish(
            VersionStatus.FAILED,
            phases=claim.row["phases"],
            build_logs=message,
            log_path=log_key(claim),
            error_code=BuildCode.PLATFORM_ERROR,
            error_message=message,
        )


def _finish(status: VersionStatus, **values: Any) -> Finish:
    empty = ("lock", "docker_image", "docker_image_digest", "image_bytes", "error_code", "error_message")
    return {"status": status, **dict.fromkeys(empty), **values}
