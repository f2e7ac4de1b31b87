"""How likely a true picture is under mixtures of discretised logistics, as pure functions.

Salimans et al. 2017, "PixelCNN++", section 2.1, and Child 2021, "Very deep VAEs generalize
autoregressive models and can outperform them on images", for the way in which colours follow each
other. Values are in [-1, 1], in steps of 2 / 255.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from purrtrait.types import Images

HALF = 1 / 255  # half the width of a bucket: the step between two of 256 values in [-1, 1] is 2/255
EDGE = 0.999  # beyond it lies no value but the last


def log_probability(
    values: Tensor, means: Tensor, log_scales: Tensor, half: float = HALF
) -> Tensor:
    """Log chance of values in [-1, 1] under logistics, each taken for its whole bucket.

    ln(F(v + h) - F(v - h)) with F(x) = s((x - mean) / scale) and s the sigmoid; the first bucket
    reaches down to -inf and the last up to inf, so that the chances of all values sum to 1.

    With a and b the two arguments of s, s(a) - s(b) = s(a) s(-b) (1 - e^(b - a)), and a - b is
    2 h / scale: so the logarithm is exact in the farthest tail, where the difference itself is 0 in
    float32 and published codes fall back on the density. The three are broadcast.
    """
    centred, narrow = values - means, torch.exp(-log_scales)
    below = logsigmoid(narrow * (centred + half))
    above = logsigmoid(-narrow * (centred - half))
    inside = below + above + torch.log(-torch.expm1(-2 * half * narrow))
    return torch.where(values < -EDGE, below, torch.where(values > EDGE, above, inside))


def mixture(
    true: Images,
    logits: Tensor,
    means: Tensor,
    log_scales: Tensor,
    coefficients: Tensor,
    *,
    half: float = HALF,
) -> Tensor:
    """Negative log likelihood of pictures (B, C, H, W) in [-1, 1], in nats for each value; (B,).

    Of each pixel: -ln sum_k p_k prod_c P_ck, the mean over all pixels and colours, where a colour's
    means follow the true values before it: mu_g = m_g + c_0 r, mu_b = m_b + c_1 r + c_2 g. Logits
    are (B, K, H, W), means and log scales (B, C, K, H, W), coefficients the same with as many as
    there are pairs of colours: none or three.
    """
    follow, before = torch.tril_indices(true.shape[1], true.shape[1], -1, device=true.device)
    values = true[:, :, None]
    # Row by row of the triangle: green after red, blue after red, blue after green.
    shifted = means.index_add(1, follow, coefficients * values[:, before])
    each = log_probability(values, shifted, log_scales, half)  # (B, C, K, H, W)
    pixels = torch.logsumexp(logits.log_softmax(1) + each.sum(1), 1)  # (B, H, W)
    return -pixels.flatten(1).mean(1) / true.shape[1]
