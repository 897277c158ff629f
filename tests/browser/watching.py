"""When the reading room changed its phase, by the browser's clock."""

from __future__ import annotations

from playwright.sync_api import Page

_WATCH = """addEventListener("DOMContentLoaded", () => {
  window.phases = [];
  new MutationObserver(() => phases.push([document.getElementById("room").dataset.phase, performance.now()]))
    .observe(document, { subtree: true, attributeFilter: ["data-phase"] });
});"""


def watch(page: Page) -> None:
    """Keep the phases of the rooms that `page` opens from now on."""
    page.add_init_script(_WATCH)


def phases(page: Page) -> list[tuple[str, float]]:
    """Phase and moment (ms) of every change so far."""
    return [(phase, at) for phase, at in page.evaluate("phases")]


def waits(times: list[tuple[str, float]]) -> list[float]:
    """Milliseconds from the answer to each image, the first excepted, to the onset of the next."""
    shown = [at for phase, at in times if phase == "image"]
    answered = [min(at for phase, at in times if phase == "mask" and at > image) for image in shown[:-1]]
    return [image - at for image, at in zip(shown[1:], answered, strict=True)]
