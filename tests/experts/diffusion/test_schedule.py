"""CogVideoX's noise schedule, against its formulas."""

import pytest
import torch

from experts.diffusion.sampling.schedule import SNR_SHIFT, scheduler, velocity


@pytest.mark.parametrize("base", sorted(SNR_SHIFT))
@pytest.mark.parametrize("solver", ["ddim", "dpm++"])
def test_schedule_is_shifted_and_ends_in_noise_alone(base, solver):
    got = scheduler(base, solver).alphas_cumprod.double()
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    plain = torch.cumprod(1 - betas, 0)
    snr = plain / (1 - plain) / SNR_SHIFT[base]
    root = (snr / (1 + snr)).sqrt()
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])  # zero terminal SNR
    assert torch.allclose(got, root**2, atol=1e-9)
    assert got[-1] == 0


def test_velocity_and_noise_are_a_rotation_of_clean_and_noise():
    schedule = scheduler("CogVideoX-2b")
    clean, noise = torch.randn(2, 3, 4, 5, 6), torch.randn(2, 3, 4, 5, 6)
    timesteps = torch.tensor([0, 999])
    noisy = schedule.add_noise(clean, noise, timesteps)
    v = velocity(schedule, clean, noise, timesteps)
    a = schedule.alphas_cumprod[timesteps].float().view(2, 1, 1, 1, 1)
    assert torch.allclose(a.sqrt() * noisy - (1 - a).sqrt() * v, clean, atol=1e-5)
    assert torch.equal(noisy[1], noise[1]) and torch.equal(v[1], -clean[1])


def test_a_checkpoints_own_schedule_wins(tmp_path):
    scheduler("CogVideoX-5b-I2V").save_pretrained(tmp_path / "scheduler")
    read = scheduler("CogVideoX-2b", "dpm++", tmp_path)
    assert read.config.snr_shift_scale == 1.0
    assert type(read).__name__ == "CogVideoXDPMScheduler"
