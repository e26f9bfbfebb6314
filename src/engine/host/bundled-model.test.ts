import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetworkError, WeightsFormatError } from '../../common/errors';
import { fetchBundledModel } from './bundled-model';
import { sha256 } from './fingerprint';

interface Served {
  readonly type?: string;
  readonly body: string;
  readonly status?: number;
  /** Bytes after which the connection is cut. */
  readonly cutAfter?: number;
}

let server: Server;
let url: string;
let served: Map<string, Served>;

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
async function list(entries: Record<string, string>): Promise<string> {
  const files = Object.entries(entries).map(async ([path, body]) => ({
    path,
    size: bytesOf(body).length,
    sha256: await sha256(bytesOf(body)),
  }));
  return JSON.stringify(await Promise.all(files));
}

beforeEach(async () => {
  served = new Map([
    ['/model_index.json', { body: '{"a": 1}' }],
    ['/unet/model.safetensors', { body: 'weights', type: 'application/octet-stream' }],
  ]);
  served.set('/files.json', {
    body: await list({
      'model_index.json': '{"a": 1}',
      'unet/model.safetensors': 'weights',
      'card/1.png': 'x',
    }),
  });
  server = createServer((request, response) => {
    const file = served.get(request.url ?? '');
    response.writeHead(file ? (file.status ?? 200) : 404, {
      'content-type': file?.type ?? 'application/json',
      ...(file?.cutAfter === undefined ? {} : { 'content-length': String(file.body.length) }),
    });
    if (file?.cutAfter === undefined) response.end(file?.body);
    else response.write(file.body.slice(0, file.cutAfter), () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

describe('fetchBundledModel', () => {
  it('fetches what a model is read from, and counts the bytes', async () => {
    const progress: number[] = [];
    const { folder, name } = await fetchBundledModel(url, {
      onProgress: ({ loadedBytes }) => progress.push(loadedBytes),
    });
    expect(await folder.json('model_index.json')).toEqual({ a: 1 });
    expect([...folder.list()].sort()).toEqual(['model_index.json', 'unet/model.safetensors']);
    expect(progress.at(-1)).toBe(15);
    expect(name).toBeNull();
    served.set('/files.json', { body: `{"name": "Small", "files": ${served.get('/files.json')!.body}}` });
    expect((await fetchBundledModel(url)).name).toBe('Small');
  });

  it('says so when the server is gone', async () => {
    await new Promise((resolve) => server.close(resolve));
    const error: unknown = await fetchBundledModel(url).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(NetworkError);
    expect(error).toMatchObject({
      message: expect.stringMatching(/could not be fetched. Check the connection/),
    });
  });

  it('says so when the list or a file is not there', async () => {
    served.delete('/unet/model.safetensors');
    await expect(fetchBundledModel(url)).rejects.toThrow(
      /model.safetensors could not be fetched: the server answered 404/,
    );
    served.delete('/files.json');
    await expect(fetchBundledModel(url)).rejects.toBeInstanceOf(NetworkError);
  });

  it('says so when a web page comes in place of the list or of weights', async () => {
    const page = { type: 'text/html', body: '<!doctype html><p>Sign in</p>' };
    served.set('/unet/model.safetensors', page);
    await expect(fetchBundledModel(url)).rejects.toThrow(/but a web page \(text\/html\) came/);
    await expect(fetchBundledModel(url)).rejects.toBeInstanceOf(WeightsFormatError);
    served.set('/files.json', page);
    await expect(fetchBundledModel(url)).rejects.toThrow(/files.json should list.*a web page/);
  });

  it('says so when a file has another size or other bytes', async () => {
    served.set('/unet/model.safetensors', { body: 'weight' });
    await expect(fetchBundledModel(url)).rejects.toThrow(/should be 7 bytes.*but 6 bytes came/);
    served.set('/unet/model.safetensors', { body: 'weightz' });
    await expect(fetchBundledModel(url)).rejects.toThrow(/other bytes \(its SHA-256 differs\)/);
  });

  it('says so when the connection breaks', async () => {
    served.set('/unet/model.safetensors', { body: 'weights', cutAfter: 3 });
    await expect(fetchBundledModel(url)).rejects.toBeInstanceOf(NetworkError);
  });

  it('says so when the list is not one', async () => {
    for (const body of ['{}', '[]', '[{"path": 1}]', '{"files": "x"}', 'null', '[null]']) {
      served.set('/files.json', { body });
      await expect(fetchBundledModel(url)).rejects.toBeInstanceOf(WeightsFormatError);
    }
  });

  it('ends when its signal aborts', async () => {
    const reason = new Error('stop');
    await expect(fetchBundledModel(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
