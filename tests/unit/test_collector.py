"""What a service has loaded is not gone through again; what comes later is."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from shared.collector import NEW_OBJECTS, leave_alone_what_is_loaded


class Ring:
    """Something that only the collector can drop."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def collector_as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_what_is_loaded_is_left_alone_and_what_comes_later_is_collected() -> None:
    loaded = [Ring() for _ in range(1000)]
    leave_alone_what_is_loaded()
    assert gc.get_freeze_count() > len(loaded)
    assert len(gc.get_objects()) < gc.get_freeze_count()
    assert gc.get_threshold()[0] == NEW_OBJECTS
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None
