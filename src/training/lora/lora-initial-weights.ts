import type { TorchGenerator } from '../../common/random';

/**
 * The order in which PEFT visits a diffusers UNet: as its submodules are registered, with the middle block behind the others.
 * `layers` are in the order of the network, whose transformers name both projections first.
 */
export function peftOrder(paths: readonly string[]): readonly string[] {
  const places = new Map(paths.map((path, i) => [path, placeOf(path, i)]));
  return [...paths].sort((a, b) => {
    const [first, second] = [places.get(a)!, places.get(b)!];
    const axis = first.findIndex((place, i) => place !== second[i]);
    return axis < 0 ? 0 : first[axis]! - second[axis]!;
  });
}

const SECTIONS = ['conv_in', 'time_embedding', 'down_blocks', 'up_blocks', 'mid_block', 'conv_out'];
const PARTS = ['attentions', 'resnets', 'downsamplers', 'upsamplers'];

/** Section, block, part of the block, which of them, and whether it comes behind the transformer's blocks. */
function placeOf(path: string, position: number): readonly number[] {
  const [, section = '', block = '0', part = '', index = '0'] =
    /^(\w+?)(?:\.(\d+))?(?:\.(attentions|resnets|\w+samplers)\.(\d+)\..*|\.linear_\d)?$/.exec(path) ?? [];
  const isLast = Number(path.endsWith('.proj_out'));
  return [SECTIONS.indexOf(section), Number(block), PARTS.indexOf(part), Number(index), isLast, position];
}

/**
 * The first values of lora_A, in PyTorch's order [rank, in] or [rank, in, kh, kw]: uniform within ±1/√fanIn (`kaiming_uniform_` with a = √5).
 * lora_B is zero, so that training begins at the base model.
 *
 * With the generator of `torch.manual_seed` they are PEFT's, bit for bit: building the two layers there draws both once
 * before lora_A is drawn again.
 *
 * @param fanIn numbers that make one of the layer's: in, of a convolution in · kh · kw
 */
export function drawLoraDown(
  generator: TorchGenerator,
  rank: number,
  fanIn: number,
  outFeatures: number,
): Float32Array {
  generator.rand(rank * fanIn);
  generator.rand(outFeatures * rank);
  // Of a rectangle: std = gain / √fan_in, bound = √3 std, in double; from and width are float32 in the kernel.
  const bound = Math.sqrt(3) * (Math.sqrt(2 / (1 + 5)) / Math.sqrt(fanIn));
  const from = Math.fround(-bound);
  const width = Math.fround(Math.fround(bound) - from);
  // torch's kernel multiplies and adds with one rounding.
  return generator.rand(rank * fanIn).map((x) => x * width + from);
}
