#!/usr/bin/env python3
"""Prints the polynomial coefficients of Numerics/Exponential.cs and Numerics/Logarithm.cs.

Usage: python3 tools/coefficients/remez.py        (plain Python 3.9 or later, no packages)

Remez exchange in 50-digit decimal arithmetic. Each polynomial minimises the largest RELATIVE error of the whole
function, not of the polynomial by itself, hence the weights. Afterwards each coefficient is rounded to float32 and the
error is measured again with the rounded ones: that second number is the one quoted in the C# comments.
"""
import math
import struct
from decimal import Decimal as D, getcontext

getcontext().prec = 50


def float32(value):
    """Nearest float32, as an exact Decimal (the detour through float64 matters only within 2^-53 of a tie)."""
    return D(struct.unpack("<f", struct.pack("<f", float(value)))[0])


def solve(rows):
    """Gaussian elimination with partial pivoting; each row carries its right-hand side last."""
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, size):
            factor = rows[row][column] / rows[column][column]
            for index in range(column, size + 1):
                rows[row][index] -= factor * rows[column][index]
    solution = [D(0)] * size
    for row in reversed(range(size)):
        rest = sum(rows[row][index] * solution[index] for index in range(row + 1, size))
        solution[row] = (rows[row][size] - rest) / rows[row][row]
    return solution


def polynomial(coefficients, x):
    total = D(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def remez(target, weight, low, high, degree):
    """Coefficients c (ascending) minimising max |weight(x) * (target(x) - sum c_i x^i)| over [low, high]."""
    count = 1201  # Chebyshev-spaced grid: dense at the ends, where the error swings fastest; never exactly 0
    grid = [(low + high) / 2 - (high - low) / 2 * D(math.cos(math.pi * i / (count - 1))) for i in range(count)]
    grid = [low if i == 0 else high if i == count - 1 else x + D("1e-20") for i, x in enumerate(grid)]
    values = [target(x) for x in grid]
    weights = [weight(x) for x in grid]
    points = [round(i * (count - 1) / (degree + 1)) for i in range(degree + 2)]
    for _ in range(30):
        rows = []
        for sign, point in enumerate(points):
            row = [grid[point] ** i if i else D(1) for i in range(degree + 1)]
            rows.append(row + [(-1) ** sign / weights[point], values[point]])
        solution = solve(rows)
        coefficients, level = solution[:-1], abs(solution[-1])
        errors = [values[i] - polynomial(coefficients, grid[i]) for i in range(count)]
        # One extreme of the weighted error per run of equal signs. The sign is that of the unweighted error, because
        # the weight touches zero inside the interval.
        extremes, best = [], 0
        for i in range(1, count):
            if (errors[i] > 0) != (errors[i - 1] > 0):
                extremes.append(best)
                best = i
            if abs(errors[i] * weights[i]) > abs(errors[best] * weights[best]):
                best = i
        extremes.append(best)
        while len(extremes) > degree + 2:  # drop the weaker end: alternation stays
            size = [abs(errors[i] * weights[i]) for i in extremes]
            extremes.pop(0 if size[0] < size[-1] else -1)
        assert len(extremes) == degree + 2
        points = extremes
        if max(abs(e * w) for e, w in zip(errors, weights)) < level * D("1.0001"):
            break
    rounded = [float32(c) for c in coefficients]
    error = max(abs(weights[i] * (values[i] - polynomial(rounded, grid[i]))) for i in range(count))
    return rounded, level, error


def show(title, names, result):
    rounded, level, error = result
    print(title)
    for name, coefficient in zip(names, rounded):
        bits = struct.unpack("<I", struct.pack("<f", float(coefficient)))[0]
        print(f"  {name:<12} = {float(coefficient):.9g}f;  // 0x{bits:08X}")
    print(f"  relative error: minimax 2^{float(level.log10() / D(2).log10()):.2f}, "
          f"with float32 coefficients 2^{float(error.log10() / D(2).log10()):.2f}\n")


def split(name, value, bits):
    """value = high + low with `bits` significant bits in high, so that small integer multiples of high are exact."""
    exponent = 0
    while value * 2 ** exponent < 2 ** (bits - 1):
        exponent += 1
    high = D(int((value * 2 ** exponent).to_integral_value())) / 2 ** exponent
    low = float32(value - high)
    print(f"  {name}High = {float(high):.9g}f ({bits} bits), {name}Low = {float(low):.9g}f")


def exponential_rest(r):
    """(e^r - 1 - r) / r^2 = sum r^k / (k + 2)!, as a series: the closed form cancels near 0."""
    term, total, k = D(1) / 2, D(0), 2
    while abs(term) > D("1e-48"):
        total += term
        k += 1
        term = term * r / k
    return total


def logarithm_rest(f):
    """(ln(1 + f) - f + f^2 / 2) / f^3 = sum (-f)^k / (k + 3), as a series: |f| < 0.42 converges."""
    power, total, k = D(1), D(0), 3
    while abs(power) > D("1e-48"):
        total += power / k
        power *= -f
        k += 1
    return total


def main():
    ln2 = D(2).ln()
    print("constants")
    print(f"  Log2E = {float(float32(1 / ln2)):.9g}f")
    split("Ln2", ln2, 16)
    print()

    def exponential_weight(r):
        return r * r / r.exp()

    end = ln2 / 2 + D("1e-5")  # rounding x * log2(e) may pick the farther of two multiples of ln2 by a hair
    show("e^r = 1 + r + r^2 q(r), |r| <= ln2/2 + 1e-5", [f"Q{i}" for i in range(6)],
         remez(exponential_rest, exponential_weight, -end, end, 5))

    def logarithm_weight(f):
        return f ** 3 / (1 + f).ln()

    show("ln(1+f) = f - f^2/2 + f^3 p(f), 1+f from sqrt(1/2) to sqrt 2", [f"P{i}" for i in range(9)],
         remez(logarithm_rest, logarithm_weight, (1 / D(2)).sqrt() - 1, D(2).sqrt() - 1, 8))


if __name__ == "__main__":
    main()
