import { describe, expect, it } from 'vitest';
import { tinyTango } from '../../testing';
import { openComponentStateDict, openSafetensors, type RawTensor, type StateDict } from '../../weights';
import { convertModel } from './convert-model';

const tiny = await tinyTango();
const LARGE = 'conv_in.weight';

/** The tiny model with one value that half precision does not hold, and what was read of it. */
function watched(): { folder: typeof tiny.folder; reads: string[]; mostAtOnce: () => number } {
  const reads: string[] = [];
  let running = 0;
  let most = 0;
  const watch = (component: string, source: StateDict): StateDict => ({
    ...source,
    read: async (name): Promise<RawTensor> => {
      reads.push(`${component}.${name}`);
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      const raw = await source.read(name);
      running -= 1;
      if (component !== 'unet' || name !== LARGE) return raw;
      const values = new Float32Array(raw.bytes.slice().buffer);
      values[3] = 70_000;
      return { ...raw, bytes: new Uint8Array(values.buffer) };
    },
  });
  const folder = {
    ...tiny.folder,
    stateDict: async (component: string) =>
      watch(component, await openComponentStateDict(tiny.folder, component)),
  };
  return { folder, reads, mostAtOnce: () => most };
}

describe('a large model becomes half precision while it is imported', () => {
  it('tensor by tensor, each read once; what does not fit stays float32 and is said', async () => {
    const { folder, reads, mostAtOnce } = watched();
    const converted = await convertModel(folder, { float32Parameters: 0 });
    expect(converted.large).toBe(true);
    expect(reads).toEqual([]);
    const dtypes: Record<string, number> = {};
    for (const file of converted.files) {
      if ('blob' in file) continue;
      const parts: Uint8Array<ArrayBuffer>[] = [];
      const head = await file.write(async (bytes) => void parts.push(new Uint8Array(bytes)));
      const written = await openSafetensors(new Blob([head, ...parts]), file.path);
      for (const name of written.names()) {
        const { dtype, shape } = written.entry(name)!;
        const half = shape.length > 1 && !(file.path.startsWith('unet/') && name === LARGE);
        expect(dtype, `${file.path} ${name}`).toBe(half ? 'F16' : 'F32');
        dtypes[dtype] = (dtypes[dtype] ?? 0) + 1;
      }
    }
    expect(dtypes.F16).toBeGreaterThan(100);
    expect([...converted.overflowed]).toEqual([`unet.${LARGE}`]);
    expect(new Set(reads).size).toBe(reads.length);
    expect(mostAtOnce()).toBe(1);
  });

  it('a small one keeps its float32', async () => {
    const { large, files } = await convertModel(tiny.folder);
    expect(large).toBe(false);
    const unet = files.find(({ path }) => path.startsWith('unet/') && path.endsWith('.safetensors'));
    expect(unet && 'expectedBytes' in unet && unet.expectedBytes).toBeGreaterThan(0);
  });
});
