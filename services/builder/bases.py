"""The base and toolchain images of each Python, found or made once per process; the base goes to the registry."""

import asyncio
from collections.abc import Callable

import aiodocker
import structlog

from services.builder import registry
from services.builder.base_image import BaseImage, ensure_base, ensure_toolchain
from shared.codes import BuildCode
from shared.errors import BuildError, PlatformFault
from shared.settings import Engine

log = structlog.get_logger()


class Bases:
    """Base images on this host; methods may be called by several builds at once."""

    def __init__(self, docker: aiodocker.Docker, engine: Engine) -> None:
        self._docker = docker
        self._engine = engine
        # one a kind: making a toolchain takes a minute in which builds that need none go on
        self._bases, self._toolchains = asyncio.Lock(), asyncio.Lock()
        self._known: dict[tuple[str, str], BaseImage] = {}
        self._pushed: dict[str, asyncio.Task[None]] = {}

    async def base(self, python: str, say: Callable[[str], None]) -> BaseImage:
        """Return the base image for a Python; raises BuildError for one that no base can be made for."""
        async with self._bases:
            known = self._known.get(("base", python))
            if known is None or not await registry.present(self._docker, known.id):
                known = self._known["base", python] = await self._find(python, say)
        return known

    async def _find(self, python: str, say: Callable[[str], None]) -> BaseImage:
        if python == self._engine.python and self._engine.base_image:
            try:
                found = await self._docker.images.inspect(self._engine.base_image)
                return BaseImage(self._engine.base_image, found["Id"], python)
            except aiodocker.DockerError as error:
                if error.status != 404:
                    raise
        try:
            return await ensure_base(self._docker, python, progress=say)
        except PlatformFault as fault:
            if python == self._engine.python:
                raise
            raise BuildError(
                BuildCode.RESOLUTION_FAILED,
                f"clinai.toml: this platform cannot make a base for Python {python} ({fault.message}); "
                f"Python {self._engine.python} is always there",
            ) from fault

    async def toolchain(self, base: BaseImage, say: Callable[[str], None]) -> BaseImage:
        """Return the image with git and a compiler that belongs to `base`."""
        async with self._toolchains:
            known = self._known.get(("toolchain", base.id))
            if known is None or not await registry.present(self._docker, known.id):
                known = self._known["toolchain", base.id] = await ensure_toolchain(self._docker, base, progress=say)
        return known

    async def pushed(self, base: BaseImage) -> None:
        """Wait until the base's layers are in the registry, so that a model's push sends only what is its own.

        A failure is not one of the build: the model's own push sends all layers then, or fails by itself.
        """
        task = self._pushed.get(base.id)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._pushed[base.id] = asyncio.create_task(self._push(base), name="push-base")
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            log.warning("base image not pushed", error=repr(error))

    async def _push(self, base: BaseImage) -> None:
        repository, tag = f"{self._engine.registry}/clinai/base", f"{base.python}-{base.id.split(':')[-1][:12]}"
        if await registry.digest_of(self._docker, f"{repository}:{tag}") is None:
            await self._docker.images.tag(base.id, repository, tag=tag)
            try:
                await registry.push(self._docker, f"{repository}:{tag}")
            finally:  # the name was for the push; the engine remembers by itself where the layers are
                await registry.remove_image(self._docker, f"{repository}:{tag}")
            log.info("base image pushed", image=f"{repository}:{tag}")
