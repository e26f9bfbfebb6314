/** WebAssembly's heap ends at 4 GiB of 32-bit addresses; so much of it weights can take, activations need the rest. */
export const WASM_PARAMETER_BYTES = 3 * 2 ** 30;
