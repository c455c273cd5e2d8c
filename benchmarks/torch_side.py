"""The PyTorch sides: the recipe `paper`'s step and its generator, in processes of their own.

    python benchmarks/torch_side.py step bfloat16 channels_last
    python benchmarks/torch_side.py photo float32 contiguous

The same layers, losses and sizes as in `deblurgan_lib`, written as one would write them in PyTorch.
Runs where PyTorch is installed and nothing else is needed; see `table.Remote` for how it is asked.
"""

import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

WIDTH, BLOCKS = 64, 9


def norm(channels):
    return nn.InstanceNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            norm(channels),
            nn.ReLU(True),
            nn.Dropout(0.5),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            norm(channels),
        )

    def forward(self, x):
        return x + self.body(x)


class Generator(nn.Module):
    def __init__(self, width=WIDTH, blocks=BLOCKS):
        super().__init__()
        parts = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=False), norm(width)]
        parts.append(nn.ReLU(True))
        for channels in (width, 2 * width):
            parts += [nn.ReflectionPad2d(1), nn.Conv2d(channels, 2 * channels, 3, 2, bias=False)]
            parts += [norm(2 * channels), nn.ReLU(True)]
        parts += [Block(4 * width) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            half = channels // 2
            parts.append(nn.ConvTranspose2d(channels, half, 3, 2, 1, 1, bias=False))
            parts += [norm(half), nn.ReLU(True)]
        self.body = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7))

    def forward(self, blurred):
        return torch.clamp(blurred + torch.tanh(self.body(blurred).float()), -1, 1)


class Critic(nn.Module):
    def __init__(self, width=WIDTH):
        super().__init__()
        parts = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for channels, stride in ((width, 2), (2 * width, 2), (4 * width, 1)):
            if stride == 2:
                parts.append(nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=False))
            else:
                parts += [
                    nn.ZeroPad2d((1, 2, 1, 2)),
                    nn.Conv2d(channels, 2 * channels, 4, bias=False),
                ]
            parts += [norm(2 * channels), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*parts)
        self.score = nn.Conv2d(8 * width, 1, 4, bias=False)

    def forward(self, picture):
        x = self.body(picture)
        with torch.autocast("cpu", enabled=False):
            return self.score(F.pad(x.float(), (1, 2, 1, 2)))


def vgg():
    """VGG19 up to the third convolution of its third block, before the ReLU."""

    def conv(before, after):
        return nn.Conv2d(before, after, 3, padding=1), nn.ReLU(True)

    parts = [*conv(3, 64), *conv(64, 64), nn.MaxPool2d(2), *conv(64, 128), *conv(128, 128)]
    parts += [nn.MaxPool2d(2), *conv(128, 256), *conv(256, 256), nn.Conv2d(256, 256, 3, padding=1)]
    return nn.Sequential(*parts).requires_grad_(False)


class Step:
    """WGAN-GP with five critic updates, then the generator's; batch 1 of 256x256."""

    def __init__(self, dtype, layout, size=256):
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16")
        networks = (Generator(), Critic(), vgg())
        self.generator, self.critic, self.vgg = (net.to(memory_format=layout) for net in networks)
        how = {"lr": 1e-4, "betas": (0.5, 0.999), "fused": True}
        self.adam = torch.optim.Adam(self.generator.parameters(), **how)
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), **how)
        sharp = torch.rand(1, 3, size, size) * 2 - 1
        self.sharp = sharp.contiguous(memory_format=layout)
        self.blurred = ((sharp + sharp.roll(1, 3)) / 2).contiguous(memory_format=layout)
        self.mean = torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)

    def features(self, photo):
        return self.vgg((photo.flip(1) + 1) * 127.5 - self.mean).float() / 58

    def penalty(self, fake):
        alpha = torch.rand(len(fake), 1, 1, 1)
        between = (fake + alpha * (self.sharp - fake)).requires_grad_()
        with self.autocast:
            score = self.critic(between).mean((1, 2, 3))
        (gradient,) = torch.autograd.grad(score.sum(), between, create_graph=True)
        norm = (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()
        return (norm - 1).square().mean()

    def __call__(self):
        with self.autocast:
            restored = self.generator(self.blurred)
        fake = restored.detach()
        for _ in range(5):
            self.critic_adam.zero_grad()
            with self.autocast:
                real_score, fake_score = self.critic(torch.cat([self.sharp, fake])).chunk(2)
            loss = fake_score.mean() - real_score.mean() + 10 * self.penalty(fake)
            loss.backward()
            self.critic_adam.step()
        self.adam.zero_grad()
        self.critic.requires_grad_(False)
        with self.autocast:
            with torch.no_grad():
                wanted = self.features(self.sharp)
            perceptual = (wanted - self.features(restored)).square().mean()
            adversarial = -self.critic(restored).mean()
        (100 * perceptual + adversarial).backward()
        self.adam.step()
        self.critic.requires_grad_(True)


class Photo:
    """The generator on one 1280x720 photograph."""

    def __init__(self, dtype, layout):
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16")
        self.generator = Generator().eval().to(memory_format=layout)
        self.photo = (torch.rand(1, 3, 720, 1280) * 255).byte()
        self.layout = layout

    def __call__(self):
        with torch.inference_mode(), self.autocast:
            blurred = (self.photo.float() / 127.5 - 1).contiguous(memory_format=self.layout)
            restored = self.generator(blurred)
            return ((restored.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()


def main():
    task, dtype, layout = sys.argv[1:4]
    torch.manual_seed(0)
    layout = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    work = {"step": Step, "photo": Photo}[task](dtype, layout)
    begin = time.perf_counter()
    work()
    print(f"torch {torch.__version__}, first {time.perf_counter() - begin:.1f} s", flush=True)
    for _ in sys.stdin:
        work()
        print(flush=True)


if __name__ == "__main__":
    main()
