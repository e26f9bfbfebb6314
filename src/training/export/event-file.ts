import { maskedCrc32c } from './crc32c';
import {
  concatBytes,
  doubleField,
  type Field,
  floatField,
  messageField,
  textField,
  varintField,
} from './protobuf';

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
  const version = [
    doubleField(EVENT.wallTime, events[0]?.wallTimeSeconds ?? 0),
    textField(EVENT.fileVersion, FILE_VERSION),
  ];
  const records = [version, ...events.map(eventFields)].map((fields) => record(concatBytes(fields)));
  return new Blob(records, { type: 'application/octet-stream' });
}

function eventFields(event: ScalarEvent | TextEvent): readonly Field[] {
  const time = doubleField(EVENT.wallTime, event.wallTimeSeconds);
  if ('text' in event) return [time, messageField(EVENT.summary, [textValue(event)])];
  const values = Object.entries(event.scalars).map(([name, value]) =>
    messageField(SUMMARY_VALUE, [textField(VALUE.tag, name), floatField(VALUE.simpleValue, value)]),
  );
  // proto3 leaves out numbers of 0.
  const step = event.step === 0 ? [] : [varintField(EVENT.step, event.step)];
  return [time, ...step, messageField(EVENT.summary, values)];
}

function textValue({ tag, text }: TextEvent): Field {
  const shape = messageField(SHAPE_DIMENSION, [varintField(DIMENSION_SIZE, 1)]);
  return messageField(SUMMARY_VALUE, [
    textField(VALUE.tag, tag),
    messageField(VALUE.tensor, [
      varintField(TENSOR.dtype, DT_STRING),
      messageField(TENSOR.shape, [shape]),
      textField(TENSOR.stringValue, text),
    ]),
    messageField(VALUE.metadata, [messageField(METADATA_PLUGIN, [textField(PLUGIN_NAME, 'text')])]),
  ]);
}

/** Length, its checksum, data, its checksum. */
function record(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + 4 + data.length + 4);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return bytes;
}
