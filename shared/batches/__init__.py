"""Batches: many inputs of one version in one request (docs/decisions/0012).

inputs.py: what a ZIP of inputs holds, and how it is cut into chunks. outcomes.py: how each input ended. states.py:
guarded state changes of batches and chunks. joined.py: the archives of all chunks as one.

A batch's objects lie below `batches/<id>/`: the inputs in `input….zip`, a chunk's archive in `<first>/<epoch>.zip`.
"""

from uuid import UUID, uuid4


def batch_prefix(batch_id: UUID) -> str:
    """Where everything of a batch lies."""
    return f"batches/{batch_id}/"


def input_key(batch_id: UUID) -> str:
    """A key for the ZIP of the inputs, where no client can write; never the same twice, for two may try at once."""
    return f"{batch_prefix(batch_id)}input-{uuid4().hex[:8]}.zip"


def archive_key(batch_id: UUID, first: int, epoch: int) -> str:
    """The archive of a chunk, under its epoch, so that two runners never write the same key."""
    return f"{batch_prefix(batch_id)}{first}/{epoch}.zip"
