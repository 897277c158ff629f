"""Where networks run, and in which precision."""

import pytest
import torch

from generation import devices
from generation.errors import InputError

CPU = torch.device("cpu")


def test_auto_is_half_precision_only_where_the_processor_computes_in_it():
    expected = "bf16" if devices.cpu_computes_bf16() else "fp32"
    assert devices.resolve("auto", CPU) == expected
    assert devices.resolve("fp32", CPU) == "fp32"


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_products_run_in_the_precision_asked_for(precision, dtype):
    with devices.autocast(precision, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_prepared_network_lies_channels_last_and_computes_the_same():
    network = torch.nn.Conv2d(3, 4, 3)
    x = torch.rand(1, 3, 8, 8)
    expected = network(x)
    assert devices.prepared(network, CPU).weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(network(x), expected)


def test_a_gpu_without_memory_gets_smaller_batches_and_no_work_is_lost():
    left, tried = list(range(10)), []

    def work(batch_size):
        while left:
            tried.append(batch_size)
            if batch_size > 3:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            del left[:batch_size]

    devices.fill(work, None, torch.device("cuda"), cpu=1, gpu=16)
    assert not left
    assert tried == [16, 14, 12, 10, 9, 8, 7, 6, 5, 4, 3, 3, 3, 3]


def test_on_a_cpu_the_batch_is_the_default_or_what_was_asked_for():
    tried = []
    devices.fill(tried.append, None, CPU, cpu=4, gpu=16)
    devices.fill(tried.append, 7, CPU, cpu=4, gpu=16)
    assert tried == [4, 7]


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(device):
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("it is there")
    with pytest.raises(InputError, match=f"device {device} is not available"):
        devices.start(device)
