"""A job goes to the runner that has its model loaded (ADR 18), and small inputs go to the runners that have it.

A runner keeps a subject for each version and tenant it has sandboxes of. One that was sent a job whose model it would
have to load asks there first; nobody listens, nobody is warm. The row's claim decides who has the job, so a lost
answer costs a claim that finds nothing, and a runner that dies with it a lease, as always.
"""

from contextlib import suppress
from functools import partial
from uuid import UUID

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from services.runner.handed import HandedInputs
from services.runner.pool import SandboxPool, Whose
from shared.bus import BusConnection
from shared.handover import input_subject
from shared.worker import Worker

log = structlog.get_logger()

ANSWER_S = 0.25
"""How long an answer is waited for: less than a sandbox takes to start."""
TAKEN, BUSY = b"taken", b"busy"


class _Job(msgspec.Struct):
    """What of the event's body names the sandboxes that suit."""

    id: UUID
    owner_id: UUID
    version_id: UUID


_decode = msgspec.json.Decoder(_Job).decode


def _subject(whose: Whose) -> str:
    return f"runner.warm.{whose.tenant}.{whose.version}"


class Affinity:
    """Asks others to take a job, and takes theirs and their inputs while `listen` runs."""

    def __init__(self, bus: BusConnection, sandboxes: SandboxPool, inputs: HandedInputs) -> None:
        self._bus = bus
        self._sandboxes = sandboxes
        self._inputs = inputs
        self._heard: dict[Whose, list[Subscription]] = {}

    async def elsewhere(self, message: Msg) -> bool:
        """Tell whether a runner that is warm for this job, as this one is not, has claimed it."""
        try:
            job = _decode(message.data)
        except msgspec.MsgspecError:
            return False
        whose = Whose(job.owner_id, job.version_id)
        if whose in self._sandboxes.held:
            return False
        try:
            answer = await self._bus.nc.request(
                _subject(whose), message.data, timeout=ANSWER_S, headers=message.headers
            )
        except NoRespondersError:
            return False
        except (NatsError, TimeoutError, OSError) as error:
            log.info("no answer from a warm runner", error=repr(error))
            return False
        return answer.data == TAKEN

    async def listen(self, worker: Worker) -> None:
        """Offer `worker` for what sandboxes are held for; runs for ever."""
        while True:
            self._sandboxes.changed.clear()
            held = set(self._sandboxes.held)
            try:
                for whose in held - self._heard.keys():
                    self._heard[whose] = [
                        await self._bus.nc.subscribe(subject, cb=callback)
                        for subject, callback in (
                            (_subject(whose), partial(self._asked, worker)),
                            (input_subject(whose.tenant, whose.version, "*"), self._inputs.heard),
                        )
                    ]
                for whose in self._heard.keys() - held:
                    for subscription in self._heard.pop(whose):
                        await subscription.unsubscribe()
            except (NatsError, OSError) as error:
                log.info("not offered to other runners", error=repr(error))
            await self._sandboxes.changed.wait()

    async def _asked(self, worker: Worker, message: Msg) -> None:
        """Another runner has a job of a model that is loaded here."""
        answer = BUSY
        try:
            job = _decode(message.data)
            if self._sandboxes.is_free(Whose(job.owner_id, job.version_id)) and await worker.take(
                job.id, message.data, message.headers
            ):
                answer = TAKEN
        except Exception as error:
            log.info("a neighbour's job was not taken", error=repr(error))
        with suppress(NatsError, OSError):
            await message.respond(answer)
