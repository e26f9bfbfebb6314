/**
 * Reads the pickles of torch.save (protocol 2) to a plain tree. Nothing is ever called: a global is a name, and the
 * caller's table says what the few allowed names make of their arguments, as torch's own weights_only reader does.
 * Every other opcode and name ends the reading. Format: CPython, Lib/pickletools.py.
 */
import { WeightsFormatError } from '../../common/errors';
import { quoted } from '../../common/quoted';

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleGlobal
  | PickleTuple
  | PickleList
  | PickleDict
  | PickleOpaque
  | object;

/** A name of Python's: `torch._utils._rebuild_tensor_v2`. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}
export class PickleTuple {
  constructor(readonly items: readonly PickleValue[]) {}
}
export class PickleList {
  readonly items: PickleValue[] = [];
}
const NO_ITEMS: ReadonlyMap<string | number, PickleValue> = new Map();
/** A dict or an OrderedDict, whose keys torch makes strings or numbers. */
export class PickleDict {
  /** Made at the first item: an empty Map takes two hundred bytes, which one byte of a pickle would ask for. */
  #items: Map<string | number, PickleValue> | null = null;

  get items(): ReadonlyMap<string | number, PickleValue> {
    return this.#items ?? NO_ITEMS;
  }

  set(key: string | number, value: PickleValue): void {
    this.#items ??= new Map();
    this.#items.set(key, value);
  }
}
/** Something that is let pass and never looked at (a numpy scalar beside the weights). */
export class PickleOpaque {}

export interface PickleTable {
  /** Names that may appear. */
  readonly allowed: ReadonlyMap<string, (args: readonly PickleValue[]) => PickleValue>;
  /** What a persistent id stands for. */
  readonly persistent: (id: PickleValue) => PickleValue;
}

const MARK = Symbol('mark');
/**
 * Values that a pickle may make and keep in its memo. One byte can be an empty list, which takes a hundred: without a
 * bound a small file would fill the memory. A checkpoint of ten thousand tensors makes 350,000.
 */
const MAX_VALUES = 1_000_000;
const LATIN1_PART = 8192;
const AGAIN = 'The file is damaged or hostile; use one from a source you trust, or a safetensors file.';
const text = new TextDecoder('utf-8', { fatal: true });

/** @throws WeightsFormatError naming the opcode or the name that is not allowed */
export function readPickle(bytes: Uint8Array, table: PickleTable, label: string): PickleValue {
  return new PickleReader(bytes, table, label).read();
}

class PickleReader {
  readonly #view: DataView;
  readonly #stack: (PickleValue | typeof MARK)[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #at = 0;
  #values = 0;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly table: PickleTable,
    private readonly label: string,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): PickleValue {
    for (;;) {
      const opcode = this.#uint8();
      if (opcode === 0x2e) return this.#pop(); // STOP
      this.#run(opcode);
    }
  }

  #run(opcode: number): void {
    switch (opcode) {
      case 0x80: {
        const protocol = this.#uint8();
        if (protocol > 2) throw this.#error(`expected pickle protocol 2, got ${protocol}`);
        return;
      }
      case 0x28: // (
        this.#count();
        this.#stack.push(MARK);
        return;
      case 0x63: // c
        this.#global();
        return;
      case 0x51: // Q
        this.#push(this.table.persistent(this.#pop()));
        return;
      case 0x52: // R
        this.#reduce();
        return;
      case 0x62: // b
        this.#build();
        return;
      case 0x71: // q
        this.#put(this.#uint8());
        return;
      case 0x72: // r
        this.#put(this.#uint32());
        return;
      case 0x68: // h
        this.#get(this.#uint8());
        return;
      case 0x6a: // j
        this.#get(this.#uint32());
        return;
      case 0x73: // s
        this.#setItems(this.#popMany(2));
        return;
      case 0x75: // u
        this.#setItems(this.#popToMark());
        return;
      case 0x61: // a
        this.#append(this.#popMany(1));
        return;
      case 0x65: // e
        this.#append(this.#popToMark());
        return;
      case 0x74: // t
        this.#push(new PickleTuple(this.#popToMark()));
        return;
      case 0x85:
      case 0x86:
      case 0x87:
        this.#push(new PickleTuple(this.#popMany(opcode - 0x84)));
        return;
      default:
        this.#push(this.#constant(opcode));
        return;
    }
  }

  #constant(opcode: number): PickleValue {
    switch (opcode) {
      case 0x4e: // N
        return null;
      case 0x88:
        return true;
      case 0x89:
        return false;
      case 0x4b: // K
        return this.#uint8();
      case 0x4d: // M
        return this.#view.getUint16(this.#advance(2), true);
      case 0x4a: // J
        return this.#view.getInt32(this.#advance(4), true);
      case 0x8a: // LONG1
        return this.#long(this.#uint8());
      case 0x47: // G
        return this.#view.getFloat64(this.#advance(8), false);
      case 0x58: // X
        return this.#string(this.#uint32());
      case 0x55: // U
        return this.#latin1(this.#uint8());
      case 0x54: // T
        return this.#latin1(this.#uint32());
      case 0x29: // )
        return new PickleTuple([]);
      case 0x5d: // ]
        return new PickleList();
      case 0x7d: // }
        return new PickleDict();
      default:
        throw this.#error(`the pickle opcode 0x${opcode.toString(16).padStart(2, '0')} is not allowed`);
    }
  }

  #global(): void {
    const name = `${this.#line()}.${this.#line()}`;
    if (!this.table.allowed.has(name)) {
      throw this.#error(
        `the pickle asks for ${quoted(name)}, which weights have no need of and which is never run here`,
      );
    }
    this.#push(new PickleGlobal(name));
  }

  #reduce(): void {
    const args = this.#pop();
    const callable = this.#pop();
    if (!(callable instanceof PickleGlobal) || !(args instanceof PickleTuple)) {
      throw this.#error('the pickle calls something that is not a name');
    }
    const make = this.table.allowed.get(callable.name);
    if (!make) throw this.#error(`the pickle calls "${callable.name}"`);
    this.#push(make(args.items));
  }

  /** State of an OrderedDict (`_metadata`, versions of modules) says nothing about values. */
  #build(): void {
    this.#pop();
    const target = this.#stack.at(-1);
    if (!(target instanceof PickleDict || target instanceof PickleOpaque)) {
      throw this.#error('the pickle sets the state of something that has none');
    }
  }

  #setItems(items: readonly PickleValue[]): void {
    const target = this.#stack.at(-1);
    if (!(target instanceof PickleDict) || items.length % 2 !== 0) {
      throw this.#error('the pickle sets items of something that is no dict');
    }
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (typeof key !== 'string' && typeof key !== 'number') {
        throw this.#error('the pickle has a dict key that is neither text nor a number');
      }
      if (target.items.has(key)) throw this.#error(`the pickle sets ${quoted(String(key))} twice`);
      target.set(key, items[i + 1]!);
    }
  }

  #append(items: readonly PickleValue[]): void {
    const target = this.#stack.at(-1);
    if (!(target instanceof PickleList)) throw this.#error('the pickle appends to something that is no list');
    for (const item of items) target.items.push(item);
  }

  #put(index: number): void {
    this.#count();
    this.#memo.set(index, this.#peek());
  }

  #get(index: number): void {
    if (!this.#memo.has(index))
      throw this.#error(`the pickle refers to the memo's entry ${index}, which is not set`);
    this.#push(this.#memo.get(index)!);
  }

  #push(value: PickleValue): void {
    this.#count();
    this.#stack.push(value);
  }

  #count(): void {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw this.#error(`the pickle makes more than ${MAX_VALUES} values`);
  }

  #peek(): PickleValue {
    const value = this.#stack.at(-1);
    if (value === undefined || value === MARK) throw this.#error('the pickle’s stack is empty');
    return value;
  }

  #pop(): PickleValue {
    const value = this.#peek();
    this.#stack.pop();
    return value;
  }

  #popMany(count: number): readonly PickleValue[] {
    return Array.from({ length: count }, () => this.#pop()).reverse();
  }

  #popToMark(): readonly PickleValue[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw this.#error('the pickle’s stack has no mark');
    const items = this.#stack.splice(mark).slice(1);
    return items.filter((item) => item !== MARK);
  }

  #long(length: number): number | bigint {
    const start = this.#advance(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(this.bytes[start + i]!);
    if (length > 0 && this.bytes[start + length - 1]! >= 0x80) value -= 1n << BigInt(8 * length);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #string(length: number): string {
    const start = this.#advance(length);
    try {
      return text.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw this.#error('the pickle has text that is not UTF-8');
    }
  }

  #latin1(length: number): string {
    const start = this.#advance(length);
    let value = '';
    for (let i = start; i < start + length; i += LATIN1_PART) {
      value += String.fromCharCode(...this.bytes.subarray(i, Math.min(i + LATIN1_PART, start + length)));
    }
    return value;
  }

  #line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#error('the pickle is cut short');
    const line = this.#string(end - this.#at);
    this.#at = end + 1;
    return line;
  }

  #uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  #uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  #advance(count: number): number {
    const start = this.#at;
    if (start + count > this.bytes.length) throw this.#error('the pickle is cut short');
    this.#at = start + count;
    return start;
  }

  #error(what: string): WeightsFormatError {
    return new WeightsFormatError(`${this.label}: ${what} (byte ${this.#at} of the pickle). ${AGAIN}`);
  }
}
