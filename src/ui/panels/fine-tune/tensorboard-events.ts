import { PbfWriter } from 'pbf';
import type {
  TrainHistory,
  TrainMetrics,
  TrainRun,
  TrainValidation,
} from '../../../engine/protocol-training';

/** Field numbers of tensorflow/core/util/event.proto and framework/summary.proto, tensor.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5 } as const;
const VALUE = { tag: 1, simpleValue: 2, tensor: 8, metadata: 9 } as const;
const TENSOR = { dtype: 1, shape: 2, stringVal: 8 } as const;
const DT_STRING = 7;

/** The tags' names, by the fields of a step and of a validation. */
const TRAIN_TAGS = {
  loss: 'loss',
  learningRate: 'learning_rate',
  gradNorm: 'grad_norm',
  implicitAccuracy: 'implicit_accuracy',
  margin: 'reward_margin',
  mseWinner: 'mse_winner',
  mseLoser: 'mse_loser',
  refMseWinner: 'ref_mse_winner',
  refMseLoser: 'ref_mse_loser',
  epoch: 'epoch',
  seconds: 'seconds_per_step',
} as const satisfies Partial<Record<keyof TrainMetrics, string>>;
const VALIDATION_TAGS = {
  loss: 'loss',
  implicitAccuracy: 'implicit_accuracy',
  margin: 'reward_margin',
  mseWinner: 'mse_winner',
  mseLoser: 'mse_loser',
} as const satisfies Partial<Record<keyof TrainValidation, string>>;

interface Scalars {
  readonly step: number;
  readonly wallTime: number;
  readonly values: readonly (readonly [tag: string, value: number])[];
}

/**
 * A run as a TensorBoard event file: scalars `train/…` and `validation/…` by step, and the run's settings as the text
 * `run`. (No kept package writes these files in a browser.)
 * @returns the file's bytes; its name has to contain `tfevents`
 */
export function tensorboardEvents(run: TrainRun, { metrics, validations }: TrainHistory): Blob {
  const began = Date.parse(run.createdAt) / 1000;
  const endOf = new Map<number, number>([[0, began]]);
  let clock = began;
  for (const { step, seconds } of metrics) {
    clock += seconds;
    endOf.set(step, clock);
  }
  const events = [
    ...metrics.map((one) => scalars('train', TRAIN_TAGS, one, endOf.get(one.step) ?? began)),
    ...validations.map((one) => scalars('validation', VALIDATION_TAGS, one, endOf.get(one.step) ?? began)),
  ];
  return new Blob([
    record((event) => {
      event.writeDoubleField(EVENT.wallTime, began);
      event.writeStringField(EVENT.fileVersion, 'brain.Event:2');
    }),
    record((event) => {
      event.writeDoubleField(EVENT.wallTime, began);
      event.writeMessage(EVENT.summary, writeText, JSON.stringify(run, null, 2));
    }),
    ...events
      .toSorted((a, b) => a.step - b.step)
      .map(({ step, wallTime, values }) =>
        record((event) => {
          event.writeDoubleField(EVENT.wallTime, wallTime);
          event.writeVarintField(EVENT.step, step);
          event.writeMessage(EVENT.summary, writeScalars, values);
        }),
      ),
  ]);
}

function scalars<T extends object>(
  group: string,
  tags: Partial<Record<keyof T, string>>,
  of: T & { readonly step: number },
  wallTime: number,
): Scalars {
  const values = Object.entries(tags).flatMap(([field, tag]) => {
    const value: unknown = of[field as keyof T];
    return typeof value === 'number' ? [[`${group}/${String(tag)}`, value] as const] : [];
  });
  return { step: of.step, wallTime, values };
}

function writeScalars(values: Scalars['values'], summary: PbfWriter): void {
  for (const [tag, value] of values) {
    summary.writeMessage(
      1,
      (_, message) => {
        message.writeStringField(VALUE.tag, tag);
        message.writeFloatField(VALUE.simpleValue, value);
      },
      null,
    );
  }
}

/** What TensorBoard's text plugin shows: a tensor of one string, in Markdown. */
function writeText(json: string, summary: PbfWriter): void {
  summary.writeMessage(
    1,
    (_, value) => {
      value.writeStringField(VALUE.tag, 'run');
      value.writeMessage(
        VALUE.tensor,
        (__, tensor) => {
          tensor.writeVarintField(TENSOR.dtype, DT_STRING);
          tensor.writeMessage(
            TENSOR.shape,
            (___, shape) => shape.writeMessage(2, (____, dim) => dim.writeVarintField(1, 1), null),
            null,
          );
          tensor.writeStringField(TENSOR.stringVal, `\`\`\`json\n${json}\n\`\`\``);
        },
        null,
      );
      value.writeMessage(
        VALUE.metadata,
        (__, metadata) => metadata.writeMessage(1, (___, plugin) => plugin.writeStringField(1, 'text'), null),
        null,
      );
    },
    null,
  );
}

/** A TFRecord: length, its checksum, an Event, its checksum. */
function record(write: (event: PbfWriter) => void): Uint8Array<ArrayBuffer> {
  const event = new PbfWriter();
  write(event);
  const data = event.finish();
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(bytes.subarray(0, 8)), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return bytes;
}

/** CRC-32C, rotated and shifted as TFRecords have it, so that a checksum of checksums is sound. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
