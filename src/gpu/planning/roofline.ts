/**
 * What a pass should take on a GPU that is not here: each program bound by arithmetic or by memory, each dispatch with
 * a cost of its own. Numbers only; the page made from them is docs/performance.md.
 */
import type { Counts } from './recorder';

export interface KnownGpu {
  readonly name: string;
  /** float32 TFLOP/s and GB/s of the maker's data sheet. */
  readonly teraflops: number;
  readonly gigabytesPerSecond: number;
  /** How browsers name it: vendor and architecture always, the product only where they tell it. */
  readonly vendor: string;
  readonly architectures: readonly string[];
  readonly product: RegExp;
}

export const KNOWN_GPUS: readonly KnownGpu[] = [
  {
    name: 'GeForce RTX 4090',
    teraflops: 82.6,
    gigabytesPerSecond: 1008,
    vendor: 'nvidia',
    architectures: ['lovelace', 'ada-lovelace'],
    product: /RTX 4090(?! Laptop)/i,
  },
  {
    name: 'GeForce RTX 4070',
    teraflops: 29.1,
    gigabytesPerSecond: 504,
    vendor: 'nvidia',
    architectures: ['lovelace', 'ada-lovelace'],
    product: /RTX 4070(?! (Laptop|Super|Ti))/i,
  },
  {
    name: 'GeForce RTX 3060',
    teraflops: 12.7,
    gigabytesPerSecond: 360,
    vendor: 'nvidia',
    architectures: ['ampere'],
    product: /RTX 3060(?! (Laptop|Ti))/i,
  },
  {
    name: 'Radeon RX 7800 XT',
    teraflops: 37.3,
    gigabytesPerSecond: 624,
    vendor: 'amd',
    architectures: ['rdna-3'],
    product: /RX 7800 XT/i,
  },
  {
    name: 'Arc A770',
    teraflops: 19.7,
    gigabytesPerSecond: 560,
    vendor: 'intel',
    architectures: ['xe-hpg', 'gen-12-hp'],
    product: /Arc(\(TM\))? A770/i,
  },
  {
    name: 'Apple M3, 10 cores (integrated)',
    teraflops: 3.5,
    gigabytesPerSecond: 100,
    vendor: 'apple',
    architectures: ['metal-3', 'common-3'],
    product: /Apple M3(?! (Pro|Max|Ultra))/i,
  },
];

export const ASSUMED = {
  /** Of the peak, for tiled products in portable WGSL: no tensor cores, float32 sums. */
  arithmeticShare: 0.3,
  bandwidthShare: 0.7,
  dispatchMicroseconds: 8,
} as const;

/** Milliseconds that the counted work should take. */
export function predictMilliseconds(
  { programs, dispatches }: Pick<Counts, 'programs' | 'dispatches'>,
  { teraflops, gigabytesPerSecond }: Pick<KnownGpu, 'teraflops' | 'gigabytesPerSecond'>,
): number {
  const seconds = Object.values(programs).reduce((sum, { flops, compulsoryBytes }) => {
    const arithmetic = flops / (teraflops * 1e12 * ASSUMED.arithmeticShare);
    const memory = compulsoryBytes / (gigabytesPerSecond * 1e9 * ASSUMED.bandwidthShare);
    return sum + Math.max(arithmetic, memory);
  }, 0);
  return 1000 * seconds + (dispatches * ASSUMED.dispatchMicroseconds) / 1000;
}

/**
 * The GPUs of the table that an adapter may be: the one it names; where the browser tells no product, all of its
 * vendor and architecture; none for any other.
 */
export function knownGpusOf(adapter: {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
}): readonly KnownGpu[] {
  const named = KNOWN_GPUS.filter(({ product }) => product.test(adapter.description));
  if (named.length > 0 || adapter.description !== '') return named;
  return KNOWN_GPUS.filter(
    ({ vendor, architectures }) =>
      vendor === adapter.vendor.toLowerCase() && architectures.includes(adapter.architecture.toLowerCase()),
  );
}
