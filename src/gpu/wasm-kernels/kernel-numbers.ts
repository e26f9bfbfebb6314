/** Numbers by which assembly/index.ts knows the kernels. */
export const KERNELS = {
  packWeights: 0,
  convolution: 1,
  groupNorm: 2,
  rowNorm: 3,
  activation: 4,
  geglu: 5,
  attention: 6,
  add: 7,
  copyBlocks: 8,
  packPhases: 9,
  packTurned: 10,
  filterGradient: 11,
  groupNormGradient: 12,
  rowNormGradient: 13,
  gegluGradient: 14,
  attentionGradient: 15,
  adamWUpdate: 16,
} as const;
export type KernelName = keyof typeof KERNELS;
