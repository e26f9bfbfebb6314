import { describe, expect, it } from 'vitest';
import { allowEnableLines, withEnableLinesFirst } from './shader-extensions';

describe('enable lines', () => {
  it('go to the top, once each, and nothing else moves', () => {
    const code = 'var<private> a : i32;\n  enable f16;\nfn f() {}\nenable subgroups;\n enable f16;\n';
    expect(withEnableLinesFirst(code)).toBe(
      'enable f16;\nenable subgroups;\nvar<private> a : i32;\n\nfn f() {}\n\n\n',
    );
    const plain = 'fn main() { let enabled = 1; }';
    expect(withEnableLinesFirst(plain)).toBe(plain);
  });

  it('are moved in every module of the device', () => {
    const made: GPUShaderModuleDescriptor[] = [];
    const device = {
      createShaderModule: (descriptor: GPUShaderModuleDescriptor) => void made.push(descriptor),
    } as unknown as GPUDevice;
    allowEnableLines(device);
    device.createShaderModule({ label: 'Program', code: 'fn f() {}\nenable f16;\n' });
    expect(made).toEqual([{ label: 'Program', code: 'enable f16;\nfn f() {}\n\n' }]);
  });
});
