"""All groups, in the order they run. A new one is a module with one async function, and a line here."""

from tests.bench.batch import measure_batch
from tests.bench.builds import measure_builds
from tests.bench.cold import measure_cold
from tests.bench.crowd import measure_crowd
from tests.bench.floor import measure_floor
from tests.bench.footprint import measure_footprint
from tests.bench.frames import measure_frames
from tests.bench.gateway import measure_gateway
from tests.bench.group import Group
from tests.bench.large_package import measure_large_package
from tests.bench.load import measure_load
from tests.bench.pools import measure_pools
from tests.bench.predict import measure_predict
from tests.bench.profile import measure_profile
from tests.bench.queue import SETTINGS as QUEUE_SETTINGS
from tests.bench.queue import measure_queue
from tests.bench.sandbox import measure_sandbox
from tests.bench.sockets import measure_sockets
from tests.bench.web import measure_web

GROUPS = (
    Group("builds", "package uploaded → READY", measure_builds, alone=True),
    Group("large", "a package of 500 MB beside a PUT and a hash of it", measure_large_package),
    Group("cold", "a job in a container of its own, beside docker run", measure_cold),
    Group("sandbox", "what a sandbox costs over the model itself, each isolation, gVisor beside runc", measure_sandbox),
    Group("predict", "predict, 1 in flight, beside LitServe, BentoML and docker run", measure_predict),
    Group("floor", "the steps that no durable, sandboxed job can do without, bare", measure_floor),
    Group("load", "jobs per second at 16 in flight beside LitServe, and which part spends the CPU", measure_load),
    Group("batch", "inputs per second of one batch, beside LitServe", measure_batch),
    Group("frames", "from a commit to the frame at a client", measure_frames),
    Group("sockets", "memory of idle WebSockets", measure_sockets),
    Group("crowd", "5,000 WebSockets of one user", measure_crowd, alone=True),
    Group("gateway", "one job, and lists of a million", measure_gateway, alone=True),
    Group("web", "the page in a browser: loading, scrolling, memory", measure_web),
    Group("queue", "a long queue beside a short one, memory of the runner", measure_queue, settings=QUEUE_SETTINGS),
    Group("pools", "gateways with pools of several sizes, in turn", measure_pools, asked=True),
    Group("profile", "py-spy on runner and api under load, into files", measure_profile, asked=True),
    Group("footprint", "memory of all parts, second run of the demo", measure_footprint, settings={}, alone=True),
)
