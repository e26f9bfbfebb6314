import type { Plugin } from 'vite';

export function stockKernelsInstead(): Plugin;
