"""Checkpoints of both stages: the authors' formats and ours load, everything else is refused by name."""

import os
import pickle

import pytest
import torch

from generation.diffusion import checkpoints as diffusion
from generation.diffusion.recommended import RecommendedUNet
from generation.diffusion.unet import PanoDiffUNet
from generation.errors import InputError
from generation.superresolution import checkpoints as superresolution
from generation.superresolution.hat import HAT
from generation.weights import write_safetensors

LIGHT_HAT = {"window_size": 4, "depths": (1,), "num_heads": (2,), "embed_dim": 12, "squeeze_factor": 3}
SMALL = {"height": 16, "width": 32, "widths": (8, 8), "attention": (8,), "sources": ("TUFTS", "ADLD")}


@pytest.fixture(scope="module")
def unet():
    return PanoDiffUNet()


@pytest.fixture(scope="module")
def authors_file(unet, tmp_path_factory):
    """As the authors save: the averaged weights differ from the last ones, the optimiser beside them."""
    path = tmp_path_factory.mktemp("authors") / "ddpm-model-ep109.pth"
    averaged = {name: tensor + 1 for name, tensor in unet.state_dict().items()}
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))]).state_dict()
    torch.save({"model_state": {}, "ema_model_state": averaged, "optimizer_state": optimiser}, path)
    return path


def test_the_authors_diffusion_file_gives_its_averaged_weights(unet, authors_file):
    network = diffusion.load(authors_file)
    assert not network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, unet.state_dict()[name] + 1), name


def test_the_authors_superresolution_file_gives_params_ema(tmp_path):
    state = HAT().state_dict()
    torch.save({"params_ema": state}, tmp_path / "Real_HAT_GAN_SRx4_finetuned.pth")
    network = superresolution.load(tmp_path / "Real_HAT_GAN_SRx4_finetuned.pth")
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("module", "network", "about"),
    [
        (diffusion, RecommendedUNet(**SMALL), {"stage": "diffusion", "design": "recommended", "config": SMALL}),
        (superresolution, HAT(**LIGHT_HAT), {"stage": "superresolution", "config": LIGHT_HAT}),
    ],
)
def test_what_we_write_is_read_back_whole(module, network, about, tmp_path):
    write_safetensors(tmp_path / "model.safetensors", network, about)
    for path in (tmp_path, tmp_path / "model.safetensors"):
        loaded = module.load(path)
        assert type(loaded) is type(network)
        assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in network.state_dict().items())
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


class Harmful:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("module", [diffusion, superresolution])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "is not there"),
        (b"", "truncated"),
        (b"not a checkpoint", "not a PyTorch checkpoint"),
        (pickle.dumps(Harmful(), protocol=2), "would run code"),
        ({"ema_model_state": Harmful(), "params_ema": Harmful()}, r"would run code when opened \(posix.system\)"),
        ([1, 2], "contains a list, expected a mapping"),
        ({"model": {}}, "it has model"),
        ({"ema_model_state": {}, "params_ema": {}}, "missing: .*conv_.*more"),
        ({"ema_model_state": {"x": 1}, "params_ema": {"x": 1}}, "not of this network: x"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(module, content, complaint, tmp_path):
    path = tmp_path / "wrong.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=complaint) as refusal:
        module.load(path)
    assert "wrong.pth" in str(refusal.value)


def test_a_file_cut_short_anywhere_is_refused(authors_file, tmp_path):
    whole = authors_file.read_bytes()
    path = tmp_path / "cut.pth"
    for share in (0.001, 0.5, 0.999):
        path.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(InputError, match="truncated"):
            diffusion.load(path)


def test_every_tensor_of_another_shape_is_named(unet, tmp_path):
    state = unet.state_dict() | {"conv_out.bias": torch.zeros(1), "init_conv.weight": torch.zeros(64, 1, 3, 3)}
    torch.save({"ema_model_state": state}, tmp_path / "grey.pth")
    with pytest.raises(InputError) as refusal:
        diffusion.load(tmp_path / "grey.pth")
    assert "conv_out.bias: expected (3,), found (1,)" in str(refusal.value)
    assert "init_conv.weight: expected (64, 3, 3, 3), found (64, 1, 3, 3)" in str(refusal.value)


def test_the_flash_attention_variant_is_refused_by_name(unet, tmp_path):
    state = unet.state_dict() | {"down_blocks.0.2.to_qkv.weight": torch.zeros(384, 64, 1, 1)}
    torch.save({"ema_model_state": state}, tmp_path / "flash.pth")
    with pytest.raises(InputError, match=r"flash-attention .* down_blocks\.0\.2\.to_qkv\.weight"):
        diffusion.load(tmp_path / "flash.pth")


def test_a_network_of_the_other_stage_is_refused(tmp_path):
    about = {"stage": "superresolution", "config": LIGHT_HAT}
    write_safetensors(tmp_path / "model.safetensors", HAT(**LIGHT_HAT), about)
    with pytest.raises(InputError, match="has the stage 'superresolution', expected 'diffusion'"):
        diffusion.load(tmp_path)


def test_a_safetensors_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, HAT(**LIGHT_HAT), {"stage": "superresolution", "config": LIGHT_HAT})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="truncated"):
        superresolution.load(path)


def test_a_network_answers_for_its_source_and_for_any():
    network = RecommendedUNet(**SMALL).eval()
    x, timesteps = torch.randn(2, 1, 16, 32), torch.tensor(10)
    with torch.inference_mode():
        assert network(x, timesteps).shape == x.shape
        other = network(x, timesteps, torch.tensor([1, 2]))
        assert not torch.allclose(network(x, timesteps), other)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"height": 18, "patch": 4}, "cannot be halved"),
        ({"attention": (12,)}, "names .12., but the levels have .16, 8."),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        RecommendedUNet(**SMALL | change)


def test_weights_that_are_not_numbers_are_refused_by_name(tmp_path):
    network = RecommendedUNet(**SMALL)
    with torch.no_grad():
        network.unet.conv_in.bias[1] = torch.nan
    write_safetensors(
        tmp_path / "model.safetensors", network, {"stage": "diffusion", "design": "recommended", "config": SMALL}
    )
    with pytest.raises(InputError, match=r"unet\.conv_in\.bias: has values that are not numbers"):
        diffusion.load(tmp_path)
