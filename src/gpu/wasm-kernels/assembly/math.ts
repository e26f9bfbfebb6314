/**
 * Arithmetic on four values at a time that the kernels share. `@inline` is AssemblyScript's own decorator of functions;
 * TypeScript, which has none for functions, does not read this folder.
 */

/** a * b + c: fused where the engine has relaxed SIMD (one instruction on processors with FMA), else two roundings. */
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a * b, as `multiplyAdd`. */
@inline
export function multiplySubtract(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

@inline
export function splat(value: f32): v128 {
  return f32x4.splat(value);
}

/** The sum of the four lanes. */
@inline
export function sumOf(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

@inline
export function maxOf(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/**
 * e^x to 1.2 units in the last place (0.9 with a fused multiply-add): 2^n e^r with |r| <= ln 2 / 2, e^r as 1 + r + r^2 times
 * the minimax polynomial of degree 4, which is off by 3.1e-9 of e^r at most.
 * Below -87.3 the result is the smallest normal number; NaN stays NaN.
 */
@inline
export function exp(x: v128): v128 {
  // These two hand NaN on where it comes first, and are one instruction; min and max are six.
  const bounded = f32x4.pmax(f32x4.pmin(x, splat(88.3762)), splat(-87.3));
  // 1.5 * 2^23 + 127: what is added to it is rounded, and stands in its last bits as a float's exponent.
  const shifted = multiplyAdd(bounded, splat(1.44269504), splat(12583039));
  const n = f32x4.sub(shifted, splat(12583039));
  // ln 2 in two parts, so that n ln 2 is exact in the first.
  const r = multiplySubtract(n, splat(-2.12194440e-4), multiplySubtract(n, splat(0.693359375), bounded));
  let p = splat(1.3814467e-3);
  p = multiplyAdd(p, r, splat(8.3687808e-3));
  p = multiplyAdd(p, r, splat(4.1668393e-2));
  p = multiplyAdd(p, r, splat(1.6666520e-1));
  p = multiplyAdd(p, r, splat(0.49999994));
  p = multiplyAdd(p, r, splat(1));
  p = multiplyAdd(p, r, splat(1));
  return f32x4.mul(p, i32x4.shl(shifted, 23));
}

/** 1 / (1 + e^-x). */
@inline
export function sigmoid(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(splat(1), exp(f32x4.neg(x))));
}

@inline
export function silu(x: v128): v128 {
  return f32x4.mul(x, sigmoid(x));
}

/** The derivative of SiLU: s (1 + x (1 - s)), s the sigmoid. */
@inline
export function siluDerivative(x: v128): v128 {
  const s = sigmoid(x);
  return f32x4.mul(s, multiplyAdd(x, f32x4.sub(splat(1), s), splat(1)));
}

/** The normal distribution function as a sigmoid of a polynomial: the fit of kernels/activations/normal-cdf.ts. */
@inline
function normalCdf(x: v128): v128 {
  const square = f32x4.mul(x, x);
  let p = splat(3.6278503289145526e-9);
  p = multiplyAdd(p, square, splat(-2.675662099803359e-7));
  p = multiplyAdd(p, square, splat(7.948138465811256e-6));
  p = multiplyAdd(p, square, splat(-1.1054675102433842e-4));
  p = multiplyAdd(p, square, splat(-6.60534779471394e-5));
  p = multiplyAdd(p, square, splat(0.07266829833619867));
  p = multiplyAdd(p, square, splat(1.5957685367834293));
  return sigmoid(f32x4.mul(x, p));
}

/** x Phi(x). */
@inline
export function gelu(x: v128): v128 {
  return f32x4.mul(x, normalCdf(x));
}

/** Phi(x) + x phi(x), phi the normal density. */
@inline
export function geluDerivative(x: v128): v128 {
  const density = f32x4.mul(exp(f32x4.mul(f32x4.mul(x, x), splat(-0.5))), splat(0.3989422804014327));
  return multiplyAdd(x, density, normalCdf(x));
}
