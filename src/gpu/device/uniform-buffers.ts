/** One field of a program's uniforms: a number, or a vector of up to six. */
export interface UniformField {
  readonly type: string;
  readonly data: readonly number[];
}

/** A page is one buffer, uploaded as one. */
const PAGE_BYTES = 64 * 2 ** 10;
/** A training step of Tango's UNet has uniforms of some 3,000 kinds, of 256 bytes each. */
const MOST_PAGES = 64;

interface Page {
  readonly buffer: GPUBuffer;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Bytes taken, and those of them that are on the GPU. */
  taken: number;
  uploaded: number;
}

/**
 * The uniforms of all dispatches in few buffers, which stay: a program that runs again with the same numbers finds them on
 * the GPU, and all that are new since the last submit go there in one write a page. tfjs writes a buffer of its own for
 * each dispatch.
 */
export class UniformBuffers {
  readonly #device: GPUDevice;
  readonly #pages: Page[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Whether so much has been added that `clear` is due. */
  get isFull(): boolean {
    return this.#pages.length > MOST_PAGES;
  }

  /** A place for these numbers, which are there after the next `upload`. */
  add(fields: readonly UniformField[]): GPUBufferBinding {
    const packed = packUniforms(fields);
    const alignment = this.#device.limits.minUniformBufferOffsetAlignment;
    let page = this.#pages.at(-1);
    if (!page || page.taken + packed.byteLength > PAGE_BYTES) {
      page = this.#newPage();
      this.#pages.push(page);
    }
    const offset = page.taken;
    page.bytes.set(new Uint8Array(packed), offset);
    page.taken = Math.ceil((offset + packed.byteLength) / alignment) * alignment;
    return { buffer: page.buffer, offset, size: packed.byteLength };
  }

  /** For the moment before a submit. */
  upload(): void {
    for (const page of this.#pages) {
      if (page.uploaded === page.taken) continue;
      const size = Math.min(page.taken, PAGE_BYTES) - page.uploaded;
      this.#device.queue.writeBuffer(page.buffer, page.uploaded, page.bytes, page.uploaded, size);
      page.uploaded = page.taken;
    }
  }

  /** Forgets every number; for the moment after a submit, before which nothing encoded may name them again. */
  clear(): void {
    for (const { buffer } of this.#pages.splice(0)) buffer.destroy();
  }

  #newPage(): Page {
    const { UNIFORM, COPY_DST } = GPUBufferUsage;
    const buffer = this.#device.createBuffer({ size: PAGE_BYTES, usage: UNIFORM | COPY_DST });
    return { buffer, bytes: new Uint8Array(PAGE_BYTES), taken: 0, uploaded: 0 };
  }
}

/**
 * The fields as `struct Uniforms` of tfjs's shaders has them (makeUniforms in its backend): one number is aligned to 4
 * bytes, two to 8, more to 16, and so is what follows five or six.
 */
export function packUniforms(fields: readonly UniformField[]): ArrayBuffer {
  let end = 0;
  let largest = 1;
  let lengthBefore = 0;
  const offsets = fields.map(({ data: { length } }) => {
    const alignment = lengthBefore > 4 || length > 2 ? 16 : length === 2 ? 8 : 4;
    const offset = Math.ceil(end / alignment) * alignment;
    end = offset + 4 * Math.max(length, 1);
    largest = Math.max(largest, alignment);
    lengthBefore = length;
    return offset;
  });
  const packed = new ArrayBuffer(Math.ceil(end / largest) * largest);
  for (const [i, { type, data }] of fields.entries()) {
    // A scalar has no strides: its field is there all the same.
    const numbers = data.length === 0 ? [1] : data;
    const words = [packed, offsets[i]!, numbers.length] as const;
    if (type === 'float32') new Float32Array(...words).set(numbers);
    else new Int32Array(...words).set(numbers);
  }
  return packed;
}
