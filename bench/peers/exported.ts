/** What tools/peers/export_unet.py wrote: one UNet, one pass's inputs, PyTorch's output. */
export interface Numbers {
  readonly data: Float32Array<ArrayBuffer>;
  readonly shape: readonly number[];
}

export const INPUTS = ['sample', 'timestep', 'text', 'mask'] as const;
export type Inputs = Readonly<Record<(typeof INPUTS)[number], Numbers>>;

/** @param folder absolute path of the exported folder on the server, with a slash at its end */
export async function fetchFile(folder: string, name: string): Promise<Blob> {
  const response = await fetch(`${folder}${name}`);
  if (!response.ok)
    throw new Error(`${folder}${name} answers ${response.status}: run tools/peers/export_unet.py.`);
  return response.blob();
}

export async function fetchJson<T>(folder: string, name: string): Promise<T> {
  return JSON.parse(await (await fetchFile(folder, name)).text()) as T;
}

export async function fetchInputs(folder: string): Promise<Inputs> {
  const shapes = await fetchJson<Record<string, number[]>>(folder, 'shapes.json');
  const read = async (name: string): Promise<Numbers> => ({
    data: new Float32Array(await (await fetchFile(folder, `${name}.bin`)).arrayBuffer()),
    shape: shapes[name]!,
  });
  const [sample, timestep, text, mask] = await Promise.all(INPUTS.map(read));
  return { sample: sample!, timestep: timestep!, text: text!, mask: mask! };
}
