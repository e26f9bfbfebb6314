import { PbfWriter } from 'pbf';
import { maskedCrc32c } from './crc32c';
/**
 * TensorBoard's event files: TFRecords that hold `Event` messages (tensorboard/compat/proto/event.proto, summary.proto).
 * No npm package that is kept writes them: those for TFRecord write `Example`s, with native or long unkept parts.
 */

export interface ScalarEvent {
  readonly step: number;
  /** Seconds since 1970. */
  readonly wallTimeSeconds: number;
  /** By tag; `train/loss` stands under "train". */
  readonly scalars: Readonly<Record<string, number>>;
}

/** Markdown, shown under "Text". */
export interface TextEvent {
  readonly wallTimeSeconds: number;
  readonly tag: string;
  readonly text: string;
}

const FILE_VERSION = 'brain.Event:2';
/** Numbers of the messages' fields. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const;
const SUMMARY_VALUE = 1;
const VALUE = { tag: 1, simpleValue: 2, tensor: 8, metadata: 9 } as const;
const TENSOR = { dtype: 1, shape: 2, stringValue: 8 } as const;
const SHAPE_DIMENSION = 2;
const DIMENSION_SIZE = 1;
const METADATA_PLUGIN = 1;
const PLUGIN_NAME = 1;
const DT_STRING = 7;

/** @param events in the order of their steps; the first one's time is the file's */
export function eventFile(events: readonly (ScalarEvent | TextEvent)[]): Blob {
  const version = record((event) => {
    event.writeDoubleField(EVENT.wallTime, events[0]?.wallTimeSeconds ?? 0);
    event.writeStringField(EVENT.fileVersion, FILE_VERSION);
  });
  const records = events.map((event) => record((message) => writeEvent(event, message)));
  return new Blob([version, ...records], { type: 'application/octet-stream' });
}

function writeEvent(event: ScalarEvent | TextEvent, message: PbfWriter): void {
  message.writeDoubleField(EVENT.wallTime, event.wallTimeSeconds);
  if ('text' in event) {
    message.writeMessage(EVENT.summary, writeText, event);
    return;
  }
  // proto3 leaves out numbers of 0.
  if (event.step !== 0) message.writeVarintField(EVENT.step, event.step);
  message.writeMessage(EVENT.summary, writeScalars, event.scalars);
}

function writeScalars(scalars: ScalarEvent['scalars'], summary: PbfWriter): void {
  for (const entry of Object.entries(scalars)) summary.writeMessage(SUMMARY_VALUE, writeScalar, entry);
}

function writeScalar([tag, value]: readonly [string, number], message: PbfWriter): void {
  message.writeStringField(VALUE.tag, tag);
  message.writeFloatField(VALUE.simpleValue, value);
}

function writeText(event: TextEvent, summary: PbfWriter): void {
  summary.writeMessage(SUMMARY_VALUE, writeTextValue, event);
}

function writeTextValue({ tag, text }: TextEvent, value: PbfWriter): void {
  value.writeStringField(VALUE.tag, tag);
  value.writeMessage(VALUE.tensor, writeTensor, text);
  value.writeMessage(VALUE.metadata, writeMetadata, 'text');
}

/** One string in a vector of one element. */
function writeTensor(text: string, tensor: PbfWriter): void {
  tensor.writeVarintField(TENSOR.dtype, DT_STRING);
  tensor.writeMessage(TENSOR.shape, writeShape, 1);
  tensor.writeStringField(TENSOR.stringValue, text);
}

function writeShape(size: number, shape: PbfWriter): void {
  shape.writeMessage(
    SHAPE_DIMENSION,
    (of, dimension) => dimension.writeVarintField(DIMENSION_SIZE, of),
    size,
  );
}

function writeMetadata(plugin: string, metadata: PbfWriter): void {
  metadata.writeMessage(
    METADATA_PLUGIN,
    (name, message) => message.writeStringField(PLUGIN_NAME, name),
    plugin,
  );
}

/** Length, its checksum, the message, its checksum. */
function record(write: (message: PbfWriter) => void): Uint8Array<ArrayBuffer> {
  const message = new PbfWriter();
  write(message);
  const data = message.finish();
  const bytes = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return bytes;
}
