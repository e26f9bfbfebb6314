/** Numbers by which assembly/index.ts knows the kernels. */
export const KERNELS = {
  packWeights: 0,
  convolution: 1,
  groupNorm: 2,
  rowNorm: 3,
  activation: 4,
  geglu: 5,
  packKeys: 6,
  attention: 7,
  add: 8,
  copyBlocks: 9,
  packPhases: 10,
  packTurned: 11,
  filterGradient: 12,
  groupNormGradient: 13,
  rowNormGradient: 14,
  gegluGradient: 15,
  attentionGradient: 16,
  adamWUpdate: 17,
} as const;
export type KernelName = keyof typeof KERNELS;
