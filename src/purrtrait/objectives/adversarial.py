"""The one adversarial objective: GAN, LSGAN, WGAN, WGAN-GP and relativistic pairs of any level.

They differ in a game, a penalty, the number of the critic's moves and a clip.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from purrtrait.losses.exchange import Exchange, Fine, Game, Penalty
from purrtrait.losses.games import cross_entropy
from purrtrait.networks.blocks import whole
from purrtrait.objectives.augmentation import ORDER, Augmentation
from purrtrait.objectives.plays import PLAYS, count, fresh
from purrtrait.types import (
    Amount,
    Batch,
    Count,
    Critic,
    Draw,
    Drawing,
    Generator,
    Images,
    Latents,
    Positive,
    Progress,
    Schedule,
    Terms,
    Turn,
    nothing,
)

ACCURACY = "critic/accuracy"  # the share of verdicts on the right side of 0, 0 to 1
# The critic's cross entropy on reals labelled 1 and on fakes labelled 0, in nats; ln 2 is a guess.
LOSS_ON_REALS = "verdict/loss-real"
LOSS_ON_FAKES = "verdict/loss-fake"


class Adversarial(Drawing):
    """A generator and a critic who play a game.

    Args:
        generator: draws the fakes
        critic: judges reals and fakes
        game: what each of them loses
        penalty: what the critic pays for being steep
        augmentation: how pictures are changed before the critic sees them
        penalty_weight: coefficient of the penalty
        penalty_every: the penalty is taken at every so-many-th move of the critic, times as much
        play: who moves when: alternating (fakes reused by the generator), fresh (the generator
            draws its own), simultaneous (both from one forward pass) or shared (both from one
            forward and one backward pass; for critics without batch statistics)
        critic_moves: moves of the critic in a step, a number or a schedule
        generator_moves: moves of the generator in a step, a number or a schedule; more than one
            only where it draws its own fakes (play fresh)
        fakes_per_real: fakes that the generator draws in its own turn for each real of the batch;
            more than one only where it draws its own fakes (play fresh), and of use only where it
            draws with noise
        clip: after each of its moves the critic's weights are limited to this size; inf is no limit
        input_noise: standard deviation of the noise on all that the critic sees, a number or a
            schedule
    """

    def __init__(
        self,
        generator: Generator,
        critic: Critic,
        game: Game,
        penalty: Penalty,
        augmentation: Augmentation,
        critic_moves: Schedule,
        generator_moves: Schedule,
        input_noise: Schedule,
        penalty_weight: Amount = 1.0,
        penalty_every: Count = 1,
        play: str = "alternating",
        fakes_per_real: Count = 1,
        clip: Positive = math.inf,
    ) -> None:
        super().__init__()
        if play not in PLAYS:
            raise ValueError(f"play is '{play}'; expected one of {', '.join(PLAYS)}")
        if play == "shared" and not (critic.judges_alone and game.slopes):
            raise ValueError(
                "play is 'shared', which reads the generator's gradient off the critic's: that "
                "needs a critic without batch norm (--set critic.normalisation=none) and a game "
                "whose critic's loss slopes everywhere (relativistic, non-saturating, "
                "wasserstein). Expected those, or --set play=simultaneous"
            )
        if fakes_per_real > 1 and (PLAYS[play] is not fresh or game.pairs):
            raise ValueError(
                f"fakes_per_real is {fakes_per_real}; expected 1, or a generator with fakes of its "
                "own (--set play=fresh) in a game that does not set each of them against a real "
                "(any but relativistic)"
            )
        self.won_at_zero = game.won_at_zero
        self.drawer = generator
        self.critic = critic
        self.game = game
        self.augmentation = augmentation
        self.fine = Fine(penalty, penalty_weight, penalty_every)
        self.critic_moves = critic_moves
        self.generator_moves = generator_moves
        self.input_noise = input_noise
        self.play = PLAYS[play]
        self.fakes_per_real = fakes_per_real
        self.clip = clip
        self.after_move = nothing if math.isinf(clip) else self.clip_critic

    def players(self) -> Mapping[str, nn.Module]:
        """``generator`` and ``critic``."""
        return {"generator": self.drawer, "critic": self.critic}

    def turns(self, now: Progress) -> Sequence[Turn]:
        """The critic's moves and the generator's, in the order of the recipe's play."""
        own = count(self.generator_moves, now)
        if own > 1 and self.play is not fresh:
            raise ValueError(
                f"generator_moves is {own}, but the generator reuses the critic's fakes; expected "
                "1, or fakes of its own: --set play=fresh"
            )
        self.augmentation.heed(now)
        return self.play(self, now)

    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """Where details are drawn: the coarse picture, the truth, and what was drawn instead.

        Where the coarse picture has lost nothing, what is changed are portraits from below.
        """
        if batch.given is None:
            return {}
        if batch.prompt is not None and not batch.images.any():
            z = batch.draw.prior(
                self.drawer.prior, (len(batch.images), self.drawer.latent_size), "panel"
            )
            change: Images = subject(z, batch.prompt)
            changed = batch.prompt + change
            return {"from below": batch.prompt, "changed": changed, "change": change / 2}
        shape = (len(batch.images), self.drawer.latent_size)
        drawn: Images = subject(batch.draw.prior(self.drawer.prior, shape, "panel"), batch.given)
        return {
            "coarse": batch.given,
            "truth": batch.given + batch.images,
            "refined": batch.given + drawn,
            "true detail": batch.images / 2,
            "drawn detail": drawn / 2,
        }

    def exchange(self, batch: Batch, noise: float, times: int = 1) -> Exchange:
        """Reals and ``times`` freshly drawn fakes for each of them, before the critic."""
        z, prompt = self.asked(batch, times)
        return self.shown(batch, self.drawer(z, prompt), prompt, noise)

    def asked(self, batch: Batch, times: int = 1) -> tuple[Latents, Tensor | None]:
        """Latents for ``times`` fakes a real, and the prompts that go with them."""
        shape = (times * len(batch.images), self.drawer.latent_size)
        z = batch.draw.prior(self.drawer.prior, shape, "latents")
        if batch.prompt is None:
            return z, None
        # One prompt's fakes lie side by side, so that they stay in the process that has the prompt.
        prompt = batch.prompt.repeat_interleave(times, 0)
        return z, prompt.contiguous(memory_format=torch.channels_last)

    def shown(
        self, batch: Batch, fakes: Images, prompt: Tensor | None, noise: float = 0.0
    ) -> Exchange:
        """The batch's reals and these fakes as the critic sees them; the fakes keep their graph."""
        return Exchange(
            self.critic,
            self._seen(batch.images, batch.given, batch.draw, noise, "reals"),
            self._seen(fakes, prompt, batch.draw, noise, "fakes"),
            batch.draw,
            batch.given,
            prompt,
            noise,
        )

    def judged(self, exchange: Exchange, move: int) -> Terms:
        """What the critic loses at its ``move``-th move."""
        losses = {"game": self.game.critic(exchange), **self.fine(exchange, move)}
        costs = {name: loss.mean() for name, loss in losses.items()}
        chance = {"critic/augmentation": self.augmentation.chance.clone()}
        return Terms({"critic": costs}, _verdicts(exchange) | chance)

    def drawn(self, exchange: Exchange) -> Terms:
        """What the generator loses."""
        cost = self.game.generator(exchange).mean()
        return Terms(
            {"generator": {"game": cost}}, {"verdict/answer": exchange.fake.detach().mean()}
        )

    @torch.no_grad()
    def clip_critic(self) -> None:
        """Limit every weight of the critic to [-clip, clip] (Arjovsky et al. 2017)."""
        torch._foreach_clamp_min_(list(self.critic.parameters()), -self.clip)
        torch._foreach_clamp_max_(list(self.critic.parameters()), self.clip)

    def _seen(
        self, images: Images, given: Tensor | None, draw: Draw, deviation: float, whose: str
    ) -> Images:
        # Details are changed together with what they are details of, or they would not fit it.
        seen = self.augmentation(whole(images, given), draw, whose)
        if given is not None:
            seen = seen - given
        if deviation == 0:
            return seen
        return seen + deviation * draw.normal(images.shape, f"noise on {whose}")


def on_fakes(exchange: Exchange) -> Tensor:
    """Mean cross entropy of the verdicts on fakes, to be looked at."""
    return cross_entropy(exchange.fake.detach(), 0.0).mean()


def _verdicts(exchange: Exchange) -> dict[str, Tensor]:
    real, fake = exchange.real.detach(), exchange.fake.detach()
    return {
        "verdict/real": real.mean(),
        "verdict/fake": fake.mean(),
        "verdict/distance": real.mean() - fake.mean(),
        LOSS_ON_REALS: cross_entropy(real, 1.0).mean(),
        LOSS_ON_FAKES: on_fakes(exchange),
        ORDER: (real > fake).float().mean(),
        ACCURACY: ((real > 0).float().mean() + (fake <= 0).float().mean()) / 2,
        "critic/noise": real.new_tensor(exchange.noise),
    }
