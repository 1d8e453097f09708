"""The descriptor from every pixel around a keypoint, as Lowe's program computes it. [Lowe04 §6]"""

from __future__ import annotations

import numpy as np

from ..features import Float32
from ..params import DescriptorParams
from .localize import Points
from .orientation import by_radius, windows
from .scale_space import Index, Sheet

__all__ = ["pixel_descriptors"]


def pixel_descriptors(sheet: Sheet, points: Points, angle: Float32, descriptor: DescriptorParams) -> Float32:
    """Return raw histograms (N, 128)."""
    cell = np.float32(descriptor.magnification) * points.sigma
    radii = (np.sqrt(2.0) * cell * 2.5 + 0.5).astype(np.intp)
    out = np.empty((len(points), 128), np.float32)
    for radius, chunk in by_radius(radii):
        out[chunk] = _histograms(sheet, points.take(chunk), angle[chunk], cell[chunk], radii[chunk], radius, descriptor)
    return out


def _histograms(sheet, points, angle, cell, radii, radius, descriptor):
    row, column = (points.y + np.float32(0.5)).astype(np.intp), (points.x + np.float32(0.5)).astype(np.intp)
    gx, gy = windows(sheet, points, (row, column), radius)
    reach = np.arange(-radius, radius + 1)
    rows, columns = row[:, None] + reach, column[:, None] + reach
    inside_y = (rows >= 0) & (rows < sheet.height[points.region, None]) & (np.abs(reach) <= radii[:, None])
    inside_x = (columns >= 0) & (columns < sheet.width[points.region, None])& (np.abs(reach) <= radii[:, None])
    fy, fx = points.y - row, points.x - column
    n = len(points)
    cos, sin = np.cos(angle) , np.sin(angle)
    i, j = reach[None, :, None], reach[None, None, :]
    c = lambda v: v[:, None, None]
    # y-down angles
    u = (c(cos) * j + c(sin) * i - c(fx)) / c(cell)
    v = (-c(sin) * j + c(cos) * i - c(fy)) / c(cell)
    mask = (np.abs(u) < 2.5) & (np.abs(v) < 2.5) & inside_y[:, :, None] & inside_x[:, None, :]
    w = np.sqrt(gx * gx + gy * gy) * np.exp(-(u * u + v * v) / np.float32(2 * descriptor.window_size**2)) * mask
    t = (np.arctan2(-gy, gx) - c(angle)) * np.float32(8 / (2 * np.pi)) % 8
    u = u + 1.5; v = v + 1.5
    k, p = np.nonzero(w.reshape(n, -1))
    f = lambda a: a.reshape(n, -1)[k, p].astype(np.float64)
    u, v, t, w = f(u), f(v), f(t), f(w)
    out = np.zeros((n, 6, 6, 8))
    iu, iv, it = (np.floor(a).astype(np.intp) for a in (u, v, t))
    fu, fv, ft = u - iu, v - iv, t - it
    for dv in (0, 1):
        for du in (0, 1):
            for dt in (0, 1):
                ww = w * (fv if dv else 1 - fv) * (fu if du else 1 - fu) * (ft if dt else 1 - ft)
                idx = ((k * 6 + iv + 1 + dv) * 6 + iu + 1 + du) * 8 + (it + dt) % 8
                out += np.bincount(idx, ww, out.size).reshape(out.shape)
    return out[:, 1:5, 1:5].reshape(n, 128).astype(np.float32)
