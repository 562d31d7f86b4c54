"""What handlers get by name, marked as such: Litestar 3 will not guess it from the name alone."""

from litestar.di import NamedDependency

from services.api.context import Context, User

OpenContext = NamedDependency[Context]
"""`context: OpenContext`: the open parts of the platform."""
SignedIn = NamedDependency[User]
"""`user: SignedIn`: who sent the request."""
Origin = NamedDependency[str]
"""`origin: Origin`: where this client sees storage (services/api/origins.py)."""
