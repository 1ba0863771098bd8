"""What tests of the page share: a service, and Chromium in front of it; a plugin of pytest."""

from collections.abc import Iterator
from typing import Any

import pytest

from browser_factory import Browser, browser, camera_file, chromium_path, need_runtime, page_service
from serving_factory import Running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    chromium_path()
    need_runtime()
    folder = tmp_path_factory.mktemp("service")
    with page_service(folder, allowed_hosts=("mien.test",)) as started:
        yield started


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    chromium_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(
    playwright: Any, service: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    camera = camera_file(tmp_path_factory.mktemp("camera"))
    with browser(
        playwright, "--host-resolver-rules=MAP mien.test 127.0.0.1", camera=camera
    ) as opened:
        yield opened


@pytest.fixture
def address(service: Running) -> str:
    return f"http://127.0.0.1:{service.client.port}/"
