import pytest

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
