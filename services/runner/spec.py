"""From a version's row to the sandbox its jobs get."""

from typing import Any
from uuid import UUID

from services.runner.pool import Key
from shared.db import Row
from shared.sandbox import SandboxSpec
from shared.service import Parts
from shared.settings import MIB, Limits
from shared.statuses import Isolation
from shared.worker import Claim


def resources(limits: Limits) -> int:
    """Bytes of host memory that one job may take: the model's and its tmpfs, which share a cgroup.

    Outputs and /tmp rarely fill; counting the model's memory and /tmp keeps slots from being wasted.
    """
    return limits.memory_bytes + limits.tmp_bytes


def pool_key(version: Row, tenant: UUID) -> Key:
    """Who may share a waiting sandbox of this version."""
    return Key(tenant=tenant, version=version["id"], digest=version["docker_image_digest"])


def isolation(version: Row) -> Isolation:
    """What the smoke test found the version fit for; versions that were built before it looked: a container a job."""
    return Isolation(_chosen(version).get("isolation", Isolation.CONTAINER))


def declared_defaults(version: Row) -> dict[str, Any]:
    """What `params` hold when a job does not say otherwise: the defaults of clinai.toml."""
    declared = (version["package_info"] or {}).get("parameters") or {}
    return {name: parameter["default"] for name, parameter in declared.items()}


def warm_up(version: Row) -> dict[str, Any] | None:
    """Parameters of the run that warms a loaded model up; None for one that must not be."""
    return declared_defaults(version) if _chosen(version).get("warm_up") else None


def waiting_spec(parts: Parts, version: Row, image: str, tenant: UUID) -> SandboxSpec:
    """A sandbox for many jobs of one tenant."""
    labels = {"clinai.tenant": str(tenant)}
    return _spec(parts, version, image, isolation(version), input_bytes=parts.limits.input_bytes, labels=labels)


def single_spec(parts: Parts, version: Row, image: str, claim: Claim, input_bytes: int) -> SandboxSpec:
    """A sandbox for one job."""
    labels = {"clinai.job": str(claim.id), "clinai.epoch": str(claim.epoch)}
    return _spec(parts, version, image, Isolation.CONTAINER, input_bytes=max(input_bytes, MIB), labels=labels)


def _spec(
    parts: Parts, version: Row, image: str, how: Isolation, *, input_bytes: int, labels: dict[str, str]
) -> SandboxSpec:
    info = version["package_info"] or {}
    return SandboxSpec.within(
        parts.limits,
        image=image,
        memory_bytes=info.get("memory_bytes"),
        timeout_s=info.get("timeout_s"),
        input_bytes=input_bytes,
        isolation=how,
        runtime=parts.engine.sandbox_runtime,
        labels={
            "clinai.instance": parts.instance.instance,
            "clinai.kind": "sandbox",
            "clinai.version": str(version["id"]),
            "clinai.worker": parts.worker,
            **labels,
        },
    )


def _chosen(version: Row) -> dict[str, Any]:
    found: dict[str, Any] = (version["package_info"] or {}).get("sandbox") or {}
    return found
