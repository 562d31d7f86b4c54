"""`python -m services.builder`: takes `version.uploaded`, makes images out of packages."""

import structlog

from services.builder import registry
from services.builder.bases import Bases
from services.builder.container import ensure_network, remove_build_containers
from services.builder.dependencies import DependencyImages
from services.builder.handler import BuildHandler
from services.builder.index import index_access
from services.builder.reconcile import remove_unfinished_images
from services.builder.weights import WeightsFetcher
from shared import settings
from shared.engine import host_slots
from shared.sandbox import remove_leftovers
from shared.service import Parts, run_worker
from shared.settings import load
from shared.worker import Worker

log = structlog.get_logger()


def slots(parts: Parts) -> int:
    """Builds at once, from CPU and memory of this host unless CLINAI_BUILDER_SLOTS says otherwise."""
    limits = parts.limits
    return host_slots(parts.work.builder_slots, memory_bytes=limits.build_memory_bytes, cpus=limits.build_cpus)
