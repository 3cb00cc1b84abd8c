"""README's pictures of the explorer: `python -m benchmarks.play_picture [--stills]`.

Drives the explorer in Chromium, one still per frame, so that it is as smooth on a busy machine as on a quiet
one, and writes `docs/images/play.webp` (less than 3 MB): the descent, a frame that is dragged, the weights,
your own U, and the adversary as it learns. Every number in it is the page's own. ``--stills`` takes the pages
of other steps instead (`docs/images/explorer_*.png`).
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "images" / "play.webp"
SIZE = (1300, 632)
WIDTH = 960  # of the picture
MOST_BYTES = 3_000_000
FPS = 12
STILLS = ("adversary", "transport", "images")


class Player:
    """The Play step of a page, moved by the calls that its controls make."""

    def __init__(self, page: Any) -> None:
        self.page, self.root = page, page.locator(".octant")
        self.root.wait_for()

    def run(self, code: str) -> Any:
        """Run JavaScript with ``state``, ``app`` and ``store``; wait until what it changed is drawn."""
        return self.root.evaluate(
            "async (root) => { const {state, app, unit} = root.play, store = app.store;"
            "const mix = (a, b, share) => unit(a.map((x, i) => (1 - share) * x + share * b[i]));"
            f"{code};"
            "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))) }"
        )

    def wait(self, condition: str) -> None:
        """Until a condition on ``state`` holds."""
        for _ in range(1200):
            if self.root.evaluate(
                f"(root) => {{ const {{state, app}} = root.play; return !!({condition}) }}"
            ):
                return
            self.page.wait_for_timeout(50)
        raise TimeoutError(condition)


def scenes(player: Player) -> Iterator[None]:
    """The story; each `yield` is one frame of the picture."""
    player.wait("!state.playing && state.at >= state.path.length - 1")
    player.page.wait_for_timeout(4000)  # until the page has taken its cover away
    for i in range(21):  # the star walks; the first step of the descent gets most of the time
        player.run(f"store.set({{at: {min(1.0, i / 12) + max(0.0, i - 12) * 1.1:.2f}}})")
        yield
    for _ in range(6):
        yield
    start = player.root.evaluate("(root) => root.play.state.frames[16]")
    for i in range(1, 15):  # a frame is dragged away and back
        share = (i if i <= 7 else 14 - i) / 9
        player.run(
            f"store.set({{hover: {{frame: 16}}}}); app.moveFrame(16, mix({start}, [0, 1, 0.4], {share}))"
        )
        player.page.wait_for_timeout(150)
        yield
    player.run("store.set({hover: {}})")
    for beta1 in [1.0, 0.8, 0.6, 0.4, 0.2, 0.0, 0.0, 0.0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.0, 2.0, 1.4, 1.0]:
        player.run(f"app.setting({{beta1: {beta1}, beta2: 0}})")
        player.page.wait_for_timeout(150)
        yield
    player.run("app.setting({beta1: 1, beta2: 10})")
    player.page.wait_for_timeout(300)
    for i in range(14):  # your own U on its way to the solver's
        best = "state.path[state.path.length - 1].p"
        player.run(f"store.set({{you: mix([0.8, 0.55, 0.1], {best}, {i / 13:.3f})}})")
        yield
    player.run("store.set({you: null}); app.openScene(2); app.play(false)")
    player.run("app.train()")
    player.wait("state.snapshots.length === 49 && !state.training")
    player.run("store.set({layers: {...state.layers, couplings: true, subspace: true}, shows: 'value'})")
    for at in [*range(0, 26), *range(26, 49, 3)]:
        player.run(f"store.set({{at: {at}}})")
        yield
    for _ in range(8):
        yield


@contextmanager
def opened(address: str, dark: bool) -> Iterator[Any]:
    """A page of the explorer in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(
            viewport={"width": SIZE[0], "height": SIZE[1] + 92}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.goto(address, wait_until="domcontentloaded")
        yield page
        browser.close()


def stills(address: str, dark: bool) -> None:
    """Pictures of the pages of some steps, once each figure is there."""
    for step in STILLS:
        with opened(f"{address}?step={step}", dark) as page:
            figures = page.locator(".frame:visible")
            figures.last.wait_for()
            while not all(figures.evaluate_all("all => all.map((each) => each.dataset.serial)")):
                page.wait_for_timeout(200)
            page.wait_for_timeout(3000)
            page.screenshot(path=OUT.with_name(f"explorer_{step}.png"))


def record(address: str, dark: bool) -> list[Image.Image]:
    """The frames of the picture."""
    frames = []
    with opened(address, dark) as page:
        player = Player(page)
        box = player.root.bounding_box()
        clip = {"x": box["x"] - 6, "y": box["y"] - 4, "width": SIZE[0] - box["x"], "height": SIZE[1]}
        for _ in scenes(player):
            still = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
            frames.append(
                still.resize((WIDTH, round(still.height * WIDTH / still.width)), Image.Resampling.LANCZOS)
            )
    return frames


def write(frames: list[Image.Image], path: Path) -> None:
    """One animated WebP, at the best quality that stays below the limit."""
    for quality in (80, 70, 60, 50, 40, 30):
        buffer = io.BytesIO()
        frames[0].save(
            buffer, "WEBP", save_all=True, append_images=frames[1:], duration=1000 // FPS, loop=0,
            quality=quality, method=4, minimize_size=True,
        )  # fmt: skip
        if buffer.tell() < MOST_BYTES:
            path.write_bytes(buffer.getvalue())
            print(f"{path}: {len(frames)} frames, {buffer.tell() / 1e6:.2f} MB at quality {quality}")
            return
    raise SystemExit(f"{len(frames)} frames do not fit into {MOST_BYTES} bytes")


def main() -> None:
    """Serve the explorer, record, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--stills", action="store_true", help="pages of other steps instead")
    parser.add_argument("--address", help="of an explorer that is served already")
    options = parser.parse_args()

    def take(address: str) -> None:
        if options.stills:
            stills(address, options.dark)
        else:
            write(record(address, options.dark), options.out)

    if options.address:
        take(options.address)
        return
    sys.path.insert(0, str(ROOT / "tests" / "helpers"))
    from app_server import serve

    with tempfile.TemporaryDirectory() as folder, serve(Path(folder) / "log.txt", "--warm") as (port, _):
        take(f"http://127.0.0.1:{port}/explorer")


if __name__ == "__main__":
    main()
