import type { TorchGenerator } from '../../common/random';

/**
 * The order in which PEFT visits a diffusers UNet: as its submodules are registered, with the middle block last.
 * `layers` are in the order of the network, whose transformers name both projections first.
 */
export function peftOrder(paths: readonly string[]): readonly string[] {
  const place = (path: string): number =>
    path.startsWith('down_blocks') ? 0 : path.startsWith('up_blocks') ? 1 : 2;
  const transformer = (path: string): string =>
    path.replace(/\.(proj_in|proj_out|transformer_blocks)(\..*)?$/, '');
  const position = new Map(paths.map((path, i) => [path, i]));
  return [...paths].sort((a, b) => {
    if (place(a) !== place(b)) return place(a) - place(b);
    if (transformer(a) === transformer(b)) {
      const last = Number(a.endsWith('.proj_out')) - Number(b.endsWith('.proj_out'));
      if (last !== 0) return last;
    }
    return position.get(a)! - position.get(b)!;
  });
}

/**
 * The first values of lora_A, in PyTorch's order [rank, in]: uniform within ±1/√in (`kaiming_uniform_` with a = √5).
 * lora_B is zero, so that training begins at the base model.
 *
 * With the generator of `torch.manual_seed` they are PEFT's, bit for bit: building the two layers there draws both once
 * before lora_A is drawn again.
 */
export function drawLoraDown(
  generator: TorchGenerator,
  rank: number,
  inFeatures: number,
  outFeatures: number,
): Float32Array {
  generator.rand(rank * inFeatures);
  generator.rand(outFeatures * rank);
  // Of a rectangle: std = gain / √fan_in, bound = √3 std, in double; from and width are float32 in the kernel.
  const bound = Math.sqrt(3) * (Math.sqrt(2 / (1 + 5)) / Math.sqrt(inFeatures));
  const from = Math.fround(-bound);
  const width = Math.fround(Math.fround(bound) - from);
  // torch's kernel multiplies and adds with one rounding.
  return generator.rand(rank * inFeatures).map((x) => x * width + from);
}
