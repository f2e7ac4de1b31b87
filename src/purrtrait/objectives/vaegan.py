"""A variational autoencoder whose decoder also plays a game against a critic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from purrtrait.losses.divergence import divergence
from purrtrait.losses.exchange import Game, Penalty
from purrtrait.losses.likelihood import Normal, unlikelihood
from purrtrait.objectives.adversarial import LOSS_ON_FAKES, Adversarial, on_fakes
from purrtrait.objectives.augmentation import Augmentation
from purrtrait.objectives.decoding import (
    FACTORS,
    SHOWN,
    SPACES,
    Decoding,
    Judged,
    Pull,
    Space,
    Weights,
)
from purrtrait.objectives.plays import critic_moves
from purrtrait.objectives.vae import decoded, expect_pair
from purrtrait.types import (
    Amount,
    Batch,
    Count,
    Critic,
    Drawing,
    Encoder,
    Generator,
    Images,
    Positive,
    Progress,
    Schedule,
    Terms,
    Turn,
)


class VaeGan(Drawing):
    """Encoder, decoder and critic (Larsen et al. 2016, "Autoencoding beyond pixels ...").

    The encoder goes down divergence + reconstruction; the decoder down weight_vae * reconstruction
    + weight_gan * game; the critic plays the game. Pictures' latents and the prior's pass the
    decoder together. The game moves the decoder alone: reconstruction goes back to the encoder by a
    pass of its own, since in batch norm one picture's gradient reaches all others. A balance that
    holds the decoder back leaves the variational autoencoder, which always steps.

    The costs stand as they are, before their weights. A cost is first followed back to the decoded
    pictures, where the gradients of reconstruction and game are compared and weighed, and from
    there on through the networks, so that weighing costs nothing.

    E, G and D being one forward pass of encoder, decoder and critic over as many pictures as there
    are reals, a step in which each moves once costs 3E + 8G + 8D: 2G forward, 2G back through the
    decoder to the encoder and 4G back to its own weights; a further move of the critic 1E + 2G +
    6D. Reconstruction in features costs 3D more (reals and reconstructions forward, one of them
    back), judged reconstructions 5D. Nobody needs the input gradients of the first layers of
    encoder and critic, nor of the decoder's on the way to its own weights.

    Args:
        encoder: says where the latents of a picture lie
        decoder: draws the picture of latents; its prior is normal
        critic: judges reals, and what is decoded
        game: what the critic and the decoder lose before it
        penalty: what the critic pays for being steep
        augmentation: how pictures are changed before the critic sees them
        critic_moves: moves of the critic in a step, a number or a schedule
        divergence_weight: coefficient of the divergence, a number or a schedule
        penalty_weight: coefficient of the penalty
        penalty_every: the penalty is taken at every so-many-th move of the critic, times as much
        clip: after each of its moves the critic's weights are limited to this size; inf is no limit
        weights: fixed (as said below) or equal (the gradient of the game at the decoded pictures is
            first made as long as that of the reconstruction, of this process's share of the batch)
        weight_vae: coefficient of the reconstruction in what the decoder goes down
        weight_gan: coefficient of the game in what the decoder goes down
        space: whether pictures are to be alike in their pixels or in the critic's features
        likelihood: of these, gaussian (of the variance below) or fitted-gaussian (of the variance
            that fits the batch best)
        variance: of each value around the decoded one, if gaussian
        judged: what the critic sees beside reals: samples (decoded latents of the prior), or these
            and reconstructions, each counting half
    """

    artists = ("decoder",)

    def __init__(
        self,
        encoder: Encoder,
        decoder: Generator,
        critic: Critic,
        game: Game,
        penalty: Penalty,
        augmentation: Augmentation,
        critic_moves: Schedule,
        divergence_weight: Schedule,
        penalty_weight: Amount = 1.0,
        penalty_every: Count = 1,
        clip: Positive = math.inf,
        weights: Weights = "equal",
        weight_vae: Positive = 1.0,
        weight_gan: Amount = 1.0,
        space: Space = "pixels",
        likelihood: Normal = "gaussian",
        variance: Positive = 1.0,
        judged: Judged = "samples",
    ) -> None:
        super().__init__()
        expect_pair(encoder, decoder)
        self.duel = Adversarial(
            decoder,
            critic,
            game,
            penalty,
            augmentation,
            critic_moves,
            _once,
            _silent,
            penalty_weight,
            penalty_every,
            clip=clip,
        )
        self.won_at_zero = ("critic",) * ("critic" in game.won_at_zero)
        self.encoder = encoder
        self.drawer = decoder
        self.divergence_weight = divergence_weight
        self.factor = FACTORS[weights]
        self.weight_vae = weight_vae
        self.weight_gan = weight_gan
        self.compare = SPACES[space]
        self.unlikelihood = unlikelihood(likelihood, variance)
        self.shown = SHOWN[judged]

    def players(self) -> Mapping[str, nn.Module]:
        """``encoder``, ``decoder`` and ``critic``."""
        return {"encoder": self.encoder, "decoder": self.drawer, "critic": self.duel.critic}

    def turns(self, now: Progress) -> Sequence[Turn]:
        """The critic's moves, then encoder and decoder with the samples of the last of them."""
        numbers = critic_moves(self.duel, now)
        turns = self.duel.turns(now)[: len(numbers)]
        weight = self.divergence_weight(now)
        last: list[Decoding] = []

        def judge(move: int, batch: Batch) -> Terms:
            last[:] = [Decoding(self.encoder, self.duel, batch)]
            return self.judged(last[0], move)

        def draw(batch: Batch) -> Terms:
            return self.drawn(last.pop(), weight)

        moved = zip(turns, numbers, strict=True)
        critic = [replace(turn, loss=partial(judge, move)) for turn, move in moved]
        return [*critic, Turn(("encoder", "decoder"), draw, advance=0)]

    def judged(self, made: Decoding, move: int) -> Terms:
        """What the critic loses at its ``move``-th move, counted from 0."""
        first, *others = self.shown(made)
        terms = self.duel.judged(first, move)
        own = terms.costs["critic"]
        games = [own["game"], *(self.duel.game.critic(other).mean() for other in others)]
        lost = [terms.watch[LOSS_ON_FAKES], *(on_fakes(other) for other in others)]
        return replace(
            terms,
            costs={"critic": {**own, "game": torch.stack(games).mean()}},
            watch={**terms.watch, LOSS_ON_FAKES: torch.stack(lost).mean()},
        )

    def drawn(self, made: Decoding, weight: float) -> Terms:
        """What encoder and decoder lose, each with a descent of its own."""
        pictures = made.reconstructions, made.batch.images
        likeness = self.compare(self.duel.critic, self.unlikelihood, *pictures).mean()
        apart = divergence(*made.posterior).mean()
        shown = [exchange.again() for exchange in self.shown(made)]
        if self.duel.game.pairs:
            for other in shown[1:]:
                other.real = shown[0].real
        game = torch.stack([self.duel.game.generator(one).mean() for one in shown]).mean()
        alike = Pull.of(likeness, [made.reconstructions])
        played = Pull.of(game, [made.samples, made.reconstructions][: len(shown)])
        factor = self.weight_gan * self.factor(alike.length, played.length)
        pulls = self.weight_vae * alike.length, factor * played.length
        costs = {
            "encoder": {"reconstruction": likeness, "divergence": apart},
            "decoder": {"reconstruction": likeness, "game": game},
        }
        watch = {
            "verdict/answer": shown[0].fake.detach().mean(),
            "decoder/share": pulls[1] / (pulls[0] + pulls[1]),
            "decoder/factor": factor,
            "latent/weight": apart.new_tensor(weight),
        }
        redrawn = self.weight_vae * alike.carried()
        descents: dict[tuple[str, ...], Tensor] = {
            ("encoder",): alike.carried() + weight * apart,
            ("decoder",): redrawn + factor * played.carried(),
        }
        return Terms(costs, watch, descents, held={("decoder",): redrawn})

    def panel(self, batch: Batch, subject: nn.Module) -> Mapping[str, Images]:
        """Pictures, and what is decoded of their likeliest latents."""
        return decoded(self.encoder, batch, subject)


def _once(now: Progress) -> float:
    return 1.0


def _silent(now: Progress) -> float:
    return 0.0
