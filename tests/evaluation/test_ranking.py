"""Ranking: the best, the worst and probes among them, by a critic that does not throw dice."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from purrtrait.evaluation.order import order
from purrtrait.evaluation.ranking import JUDGED_AT_ONCE, Ranking, ranked
from purrtrait.networks.branched import two_branch
from purrtrait.networks.refiner import RefinerCritic
from purrtrait.networks.validator import Validator
from purrtrait.types import Critic, Images, Logits


class Brightness(Critic):
    """Likes bright pictures; counts how many it is shown at once."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.shown: list[int] = []

    def features(self, images: Images, given: Tensor | None = None) -> Tensor:
        whole = images if given is None else images + given
        return whole.flatten(1).mean(1, keepdim=True)

    def forward(self, images: Images, given: Tensor | None = None) -> Logits:
        self.shown.append(len(images))
        return self.weight * self.features(images, given)[:, 0]


def levels(*values: float) -> Images:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)


def test_best_and_worst() -> None:
    found = ranked(Brightness(), levels(0.1, 0.5, -0.7, 0.9, 0.0))
    assert found.best(2).tolist() == [3, 1]
    assert found.worst(2).tolist() == [2, 4]
    assert [rows.tolist() for rows in found.ends(2)] == [[3, 1], [4, 2]]
    assert [rows.tolist() for rows in found.ends(0)] == [[], []]
    assert found.best(99).tolist() == found.worst(99).flip(0).tolist() == [3, 1, 0, 4, 2]


def test_where_probes_would_stand() -> None:
    among = Ranking(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    probes = torch.tensor([0.0, 2.5, 9.0, 3.0])
    assert among.rank(probes).tolist() == [0, 0.5, 1, 0.625]
    assert among.rank(probes).mean().item() == pytest.approx(order(probes, among.verdicts))


def test_many_are_judged_a_few_at_a_time() -> None:
    critic, images = Brightness(), torch.rand(2 * JUDGED_AT_ONCE + 3, 1, 8, 8) * 2 - 1
    found = ranked(critic, images)
    assert critic.shown == [JUDGED_AT_ONCE, JUDGED_AT_ONCE, 3]
    assert torch.allclose(found.verdicts, critic(images), atol=1e-6)
    assert not found.verdicts.requires_grad


@pytest.mark.parametrize(
    "critic", [two_branch(16, 1, width=8), RefinerCritic(16, 1, width=8), Validator(16, 1, 8)]
)
def test_fixed_pictures_always_stand_in_the_same_order(critic: Critic) -> None:
    """Without dropout, and each by itself; the critic is then as it was."""
    torch.manual_seed(0)
    images = torch.rand(12, 1, 16, 16) * 2 - 1
    critic.train()
    frozen = next(module for module in critic.modules() if isinstance(module, nn.Dropout)).eval()
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    first, again = ranked(critic, images), ranked(critic, images)
    assert torch.equal(first.verdicts, again.verdicts)
    assert torch.allclose(first.verdicts[:4], ranked(critic, images[:4]).verdicts, atol=1e-5)
    assert [m for m in critic.modules() if not m.training] == [frozen]
    for name, value in critic.state_dict().items():
        assert torch.equal(value, before[name]), name
