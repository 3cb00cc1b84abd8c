"""Image sets: the generated one, CIFAR-10's binary layout, and downloads that break (Sec. 4.3)."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from acot_core._utils.progress import Cancelled, Progress
from acot_core.datasets import cifar
from acot_core.datasets.cifar import CIFAR10_CLASSES, download_cifar10, read_cifar10
from acot_core.datasets.images import load_images
from acot_core.datasets.shapes import SHAPES

_RECORD = 3073


def _records(n: int, seed: int = 0) -> np.ndarray:
    records = np.random.default_rng(seed).integers(0, 256, (n, _RECORD), dtype=np.uint8)
    records[:, 0] = np.arange(n) % 10
    return records


@pytest.fixture
def folder(tmp_path):
    _records(3000).tofile(tmp_path / "data_batch_1.bin")
    _records(20, 1).tofile(tmp_path / "test_batch.bin")
    return tmp_path


def test_shapes_are_balanced_deterministic_and_split():
    data = load_images("shapes", n_train=200)
    again = load_images("shapes", n_train=200)
    assert torch.equal(data.images, again.images)
    assert torch.equal(data.labels, again.labels)
    assert data.images.shape == (200 + 1000 + 2000, 3, 32, 32)
    assert data.images.dtype == torch.uint8
    assert data.class_names == tuple(SHAPES)
    for part, each in (("train", 20), ("validation", 100), ("test", 200)):
        assert data.part(part).labels.bincount().tolist() == [each] * 10
    assert not torch.equal(load_images("shapes", n_train=200, random_state=1).images, data.images)


def test_shapes_held_out_images_do_not_depend_on_the_training_size():
    small, large = load_images("shapes", n_train=20), load_images("shapes", n_train=300)
    assert torch.equal(small.part("test").images, large.part("test").images)


def test_every_shape_fills_its_disc_and_no_two_agree():
    axis = np.linspace(-1, 1, 65, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    masks = [shape(x, y) > 0 for shape in SHAPES.values()]
    for mask in masks:
        assert 0.15 < mask.mean() < 0.6
        assert (np.hypot(x, y)[mask] <= 1.05).all()
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert (a & b).sum() / (a | b).sum() < 0.9


def test_cifar_bytes_become_planes(folder):
    data = load_images("cifar10", folder)
    assert data.class_names == CIFAR10_CLASSES
    record = _records(3000)[17]
    assert data.labels[17] == record[0]
    assert (data.images[17].numpy() == record[1:].reshape(3, 32, 32)).all()
    assert data.part("validation").labels.bincount().tolist() == [100] * 10
    assert data.part("test").labels.bincount().tolist() == [2] * 10
    assert len(data.part("train")) == 2000
    assert data.pixels().max() <= 1


@pytest.mark.parametrize("depth", ["", "cifar10", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_cifar_is_found_below_root(tmp_path, depth):
    (tmp_path / depth).mkdir(parents=True, exist_ok=True)
    for name in ("data_batch_2.bin", "test_batch.bin"):
        _records(10).tofile(tmp_path / depth / name)
    assert cifar.find_cifar10(tmp_path) == tmp_path / depth


@pytest.mark.parametrize("damage", ["truncated", "empty", "label"])
def test_damaged_cifar_file_is_named(folder, damage):
    path = folder / "data_batch_1.bin"
    data = bytearray(path.read_bytes())
    if damage == "label":
        data[5 * _RECORD] = 10
    path.write_bytes({"truncated": data[:-1], "empty": b"", "label": data}[damage])
    with pytest.raises(ValueError, match=r"data_batch_1\.bin.*(record 5 |bytes)"):
        load_images("cifar10", folder)


def test_missing_cifar_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="download=True"):
        load_images("cifar10", tmp_path)


def test_unknown_names_are_refused(folder):
    with pytest.raises(ValueError, match="'shapes' or 'cifar10'"):
        load_images("mnist")
    with pytest.raises(ValueError, match="part"):
        load_images("cifar10", folder).part("dev")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="n_train"):
        load_images("shapes", n_train=5)


class _Server:
    """A file server on loopback that can break off, refuse ranges or answer with an error."""

    def __init__(self, body: bytes) -> None:
        self.body, self.ranges, self.limit = body, True, len(body)
        self.connections = 10**9  # that bring anything
        self.asked: list[str | None] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers.get("Range")
                outer.asked.append(asked)
                if outer.status != 200:
                    self.send_error(outer.status)
                    return
                start = int(asked.split("=")[1].rstrip("-")) if asked and outer.ranges else 0
                if start >= len(outer.body):
                    self.send_error(416)
                    return
                self.send_response(206 if asked and outer.ranges else 200)
                self.send_header("Content-Length", str(len(outer.body) - start))
                self.end_headers()
                outer.connections -= 1
                self.wfile.write(outer.body[start : start + outer.limit * (outer.connections >= 0)])

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cifar-10-binary.tar.gz"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def server() -> Iterator[_Server]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for i, name in enumerate((*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin")):
            data = _records(10, i).tobytes()
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    served = _Server(buffer.getvalue())
    yield served
    served.server.shutdown()
    served.server.server_close()


def _download(server: _Server, folder, **options):
    checksum = "md5:" + hashlib.md5(server.body).hexdigest()
    return download_cifar10(folder, **{"url": server.url, "checksum": checksum, **options})


def test_download_unpacks_and_is_not_repeated(server, tmp_path):
    events: list[Progress] = []
    folder = _download(server, tmp_path, callback=events.append)
    images, _, is_test = read_cifar10(folder)
    assert images.shape == (60, 3, 32, 32)
    assert is_test.sum() == 10
    assert (images[0].ravel() == _records(10, 0)[0, 1:]).all()
    assert events[-1].stage == "download"
    assert events[-1].step == events[-1].total == len(server.body)
    assert _download(server, tmp_path) == folder
    assert len(server.asked) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["cifar-10-batches-bin"]


def test_interrupted_download_resumes_within_the_call(server, tmp_path):
    server.limit = len(server.body) // 2 + 1
    read_cifar10(_download(server, tmp_path))
    assert server.asked == [None, f"bytes={server.limit}-"]


def test_connections_that_bring_something_are_not_counted(server, tmp_path):
    server.limit = len(server.body) // 9
    read_cifar10(_download(server, tmp_path))
    assert len(server.asked) == 10


def test_a_server_without_ranges_that_always_breaks_is_given_up(server, tmp_path):
    server.ranges, server.limit = False, 1000
    with pytest.raises(ConnectionError, match="3 times without progress"):
        _download(server, tmp_path)
    assert len(server.asked) == 4


def test_interrupted_download_resumes_in_the_next_call(server, tmp_path):
    server.limit, server.connections = 1000, 5
    with pytest.raises(ConnectionError, match=r"3 times without progress.*resumes"):
        _download(server, tmp_path)
    assert cifar.find_cifar10(tmp_path) is None
    kept = (tmp_path / "cifar-10-binary.tar.gz.part").stat().st_size
    assert kept == 5000
    assert len(server.asked) == 8  # five connections that brought something, three that did not
    server.limit, server.connections = len(server.body), 10**9
    read_cifar10(_download(server, tmp_path))
    assert server.asked[-1] == f"bytes={kept}-"


def test_cancelled_download_keeps_what_came(server, tmp_path):
    def stop(progress: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        _download(server, tmp_path, callback=stop)
    assert cifar.find_cifar10(tmp_path) is None
    read_cifar10(_download(server, tmp_path))


def test_server_without_ranges_starts_over(server, tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz.part").write_bytes(b"old" * 100)
    server.ranges = False
    read_cifar10(_download(server, tmp_path))


@pytest.mark.parametrize("left", ["half of another file", "all of another file", "too much"])
def test_wrong_checksum_is_never_trusted(server, tmp_path, left):
    size = len(server.body)
    stale = {"half of another file": size // 2, "all of another file": size, "too much": size + 9}[left]
    (tmp_path / "cifar-10-binary.tar.gz.part").write_bytes(b"x" * stale)
    with pytest.raises(ValueError, match="hash"):
        _download(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    read_cifar10(_download(server, tmp_path))


def test_server_error_and_no_network_are_clear(server, tmp_path):
    server.status = 503
    with pytest.raises(ConnectionError, match="503"):
        _download(server, tmp_path)
    with pytest.raises(ConnectionError, match=r"cannot be reached.*root"):
        _download(server, tmp_path, url="http://127.0.0.1:9/cifar-10-binary.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_archive_with_the_right_checksum_but_wrong_contents_leaves_no_folder(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin"), io.BytesIO())
    served = _Server(buffer.getvalue())
    with pytest.raises(ValueError, match="archive"):
        _download(served, tmp_path)
    served.server.shutdown()
    served.server.server_close()
    assert cifar.find_cifar10(tmp_path) is None
