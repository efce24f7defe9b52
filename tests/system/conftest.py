import pytest

import api
from service import TEMPLATES, Service


@pytest.fixture(scope="session", autouse=True)
def templates():
    yield
    TEMPLATES.close()


@pytest.fixture(scope="session")
def loaded():
    """One service for all tests that only look: medrobotics loaded once in full."""
    with Service() as service:
        service.first_run = service.load("full")
        yield service


@pytest.fixture(scope="module")
def make_module_service():
    """As make_service, for all tests of a file."""
    services = []

    def make(**options):
        services.append(Service(**options))
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture
def make_service():
    """Services of a test's own, started by it, gone with it."""
    services = []

    def make(**options):
        services.append(Service(**options))
        return services[-1]

    yield make
    for service in services:
        service.close()


@pytest.fixture(scope="session")
def served():
    """One service for the tests of the API, which submit runs of their own; api.pace(served, s) makes extracts take s seconds."""
    with Service(env={"LOADSTAR_JWT_SECRET": api.SECRET, "LOADSTAR_METRICS_AUTH": "1", "LOADSTAR_HTTP_BODY": "64KiB"}) as service:
        api.make_pace(service)
        service.first_run = service.load("full")
        yield service


@pytest.fixture
def make_replica(served, make_service):
    """Further processes on the control database of `served`, without workers."""
    return lambda **env: make_service(env={
        "LOADSTAR_JWT_SECRET": api.SECRET, "LOADSTAR_WORKERS": "0", "LOADSTAR_HTTP_BODY": "64KiB", **api.urls(served), **env})
