/** Reads the fixtures that tools/fixtures writes: safetensors with everything about them in `__metadata__`. */
import * as tf from '@tensorflow/tfjs-core';
import { required } from '../common/assert';
import { openSafetensors } from '../weights/formats/safetensors';
import type { RawTensor } from '../weights/state-dict';
import type { Reference } from './expect-close';

export interface FixtureTensor extends Reference {
  readonly data: Float32Array | Float64Array | Int32Array;
}

export interface Fixture {
  readonly names: readonly string[];
  /** Values of a tensor (int64 and bool as int32). @throws when there is none of that name. */
  values(name: string): FixtureTensor;
  /** A new tensor on the current backend, float32 or int32; the caller disposes it. */
  tensor<T extends tf.Tensor = tf.Tensor>(name: string): T;
  /** An entry of the metadata, JSON where it is JSON. @throws when there is none. */
  metadata<T = unknown>(key: string): T;
}

/** @param url `new URL('./fixtures/name.safetensors', import.meta.url)`; a file in Node, fetched in a browser. */
export async function loadFixture(url: URL): Promise<Fixture> {
  const file = await openSafetensors(await readBlob(url), url.pathname);
  const tensors = new Map<string, FixtureTensor>();
  for (const name of file.names()) tensors.set(name, decode(await file.read(name)));
  const values = (name: string): FixtureTensor => required(tensors.get(name), `the fixture tensor "${name}"`);
  return {
    names: file.names(),
    values,
    tensor: <T extends tf.Tensor>(name: string): T => {
      const { data, shape } = values(name);
      return tf.tensor(data, [...shape], data instanceof Int32Array ? 'int32' : 'float32') as T;
    },
    metadata: <T>(key: string): T => {
      const text = required(file.metadata.get(key), `the fixture metadata "${key}"`);
      return parsed(text) as T;
    },
  };
}

/** The file's bytes, in Node and in a browser. */
export async function readBlob(url: URL): Promise<Blob> {
  if (url.protocol === 'file:') {
    const { readFile } = await import('node:fs/promises');
    return new Blob([new Uint8Array(await readFile(url))]);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.blob();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function decode({ name, dtype, shape, bytes }: RawTensor): FixtureTensor {
  const buffer = bytes.slice().buffer;
  switch (dtype) {
    case 'F32':
      return { shape, data: new Float32Array(buffer) };
    case 'F64':
      return { shape, data: new Float64Array(buffer) };
    case 'I32':
      return { shape, data: new Int32Array(buffer) };
    case 'I64':
      return { shape, data: Int32Array.from(new BigInt64Array(buffer), Number) };
    case 'BOOL':
    case 'U8':
      return { shape, data: Int32Array.from(new Uint8Array(buffer)) };
    default:
      throw new Error(`The fixture tensor "${name}" is ${dtype}, which fixtures do not use.`);
  }
}
