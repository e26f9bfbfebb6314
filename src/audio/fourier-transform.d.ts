/** The package ships without types; this is the part the studio uses. */
declare module 'fourier-transform' {
  /**
   * Unnormalised DFT of a real signal whose length is a power of two (2 or more).
   * @returns real and imaginary parts, N/2 + 1 bins each: a view of the package's scratch memory, valid until the
   * next call of the same length.
   */
  export function fft(input: ArrayLike<number>): [Float64Array, Float64Array];
}
