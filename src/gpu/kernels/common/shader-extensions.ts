/** `enable …;` and how it gets to the top of a shader, where WGSL wants it. */
import type { ShaderFeatures } from './kernel-variant';

const DIRECTIVE = /^[ \t]*enable [^;\n]+;[ \t]*$/gm;

/** The lines that a program's own text begins with. */
export function enableLines({ f16, subgroups }: ShaderFeatures): string {
  return `${f16 ? 'enable f16;\n' : ''}${subgroups ? 'enable subgroups;\n' : ''}`;
}

/**
 * tfjs puts its own declarations before a program's text, and WGSL takes `enable` at the top of a module only: modules
 * made on `device` from now on have these lines moved there.
 */
export function allowEnableLines(device: GPUDevice): void {
  const original = device.createShaderModule.bind(device);
  device.createShaderModule = (descriptor) =>
    original({ ...descriptor, code: withEnableLinesFirst(descriptor.code) });
}

export function withEnableLinesFirst(code: string): string {
  const lines = [...new Set(code.match(DIRECTIVE)?.map((line) => line.trim()))];
  return lines.length === 0 ? code : `${lines.join('\n')}\n${code.replace(DIRECTIVE, '')}`;
}
