"""Which device trains, and the reason that is given."""

import pytest
from distributed import Client

from dmlkit.boosting.device import _decide, choose_device, what_keeps_from_cuda
from dmlkit.errors import TrainingError


def test_gpus_are_used_when_every_worker_has_one() -> None:
    device = _decide("auto", {"tcp://a": None, "tcp://b": None})
    assert (device.name, device.reason) == ("cuda", "each of 2 workers has a GPU")


def test_one_worker_without_a_gpu_keeps_all_on_the_cpu() -> None:
    device = _decide("auto", {"tcp://a": None, "tcp://b": "nvidia-smi lists no GPU"})
    assert device.name == "cpu"
    assert device.reason == "not every worker has a usable GPU (nvidia-smi lists no GPU)"


def test_a_gpu_that_is_asked_for_and_missing_is_an_error() -> None:
    with pytest.raises(TrainingError, match="1 of 2 workers cannot use a GPU, such as tcp://b"):
        _decide("cuda", {"tcp://a": None, "tcp://b": "no CUDA"})


def test_hidden_gpus_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert what_keeps_from_cuda() == "CUDA_VISIBLE_DEVICES hides all GPUs"


def test_the_workers_are_asked(client: Client) -> None:
    here = what_keeps_from_cuda()
    device = choose_device("auto", client)
    assert device.name == ("cpu" if here else "cuda")
    assert choose_device("cpu", client).reason == "as asked for"
