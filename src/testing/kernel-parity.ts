/** One suite for every op: forward, gradients, float16 weights and leaks against tools/fixtures/kernel_ops.py. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, it } from 'vitest';
import { elementCount } from '../common/assert';
import { TorchGenerator } from '../common/random';
import { CORE_WGSL, featuresOf, type KernelVariant, withVariant } from '../gpu/kernels/common/kernel-variant';
import type { WeightTensor } from '../gpu/weight-tensor';
import { copyToLayout, type ParameterLayout } from '../nn/layout';
import type { Parameter } from '../nn/parameter';
import { ParameterRoot } from '../nn/parameter-tree';
import { expectNoLeak, forEachBackend, onDawn, type TestBackend } from './backends';
import { expectClose, type Reference } from './expect-close';
import type { Fixture } from './fixture';
import { randomStateDict } from './random-state-dict';

/** Of half-precision weights, relative to the result's RMS: 2^-11 a weight, averaged over a sum. */
const FLOAT16_TOLERANCE = 1e-2;

interface KernelCase {
  readonly name: string;
  readonly seed: number;
  readonly inputs: Readonly<Record<string, { shape: number[]; scale: number; offset: number }>>;
  readonly parameters: Readonly<Record<string, { shape: number[]; layout: ParameterLayout }>>;
  readonly options: Readonly<Record<string, unknown>>;
  readonly outputShape: readonly number[];
  /** The fixture holds every n-th value; 1 where it holds all, and the gradients with them. */
  readonly every: number;
}

type Run = (
  inputs: Readonly<Record<string, tf.Tensor>>,
  weights: Readonly<Record<string, WeightTensor>>,
  options: Readonly<Record<string, unknown>>,
) => tf.Tensor;

/** Another way to call an op that is expected to give the same, tried on the cases of these names; all by default. */
interface Variant {
  readonly run: Run;
  /** What gradients are computed within: `run` has returned when they are. */
  readonly within?: <T>(body: () => T) => T;
  readonly cases?: readonly string[];
  /** The only backend on which it differs. */
  readonly backend?: TestBackend;
  /** It differs for half-precision weights only. */
  readonly halvesOnly?: boolean;
}

const adapter = await globalThis.navigator?.gpu?.requestAdapter();
/** What shaders can be written with here; adapter-features.gpu.test.ts says what each place has to have. */
const adapterFeatures = adapter ? featuresOf(adapter) : CORE_WGSL;

/** The forms of an op's WGSL that this adapter does not choose by itself, for `testKernel`. */
export function gpuVariants(run: Run): Readonly<Record<string, Variant>> {
  const as = (variant: KernelVariant, features = CORE_WGSL): Variant => ({
    run: (...operands) => withVariant(variant, () => run(...operands), features),
    within: (body) => withVariant(variant, body, features),
    backend: 'webgpu',
    halvesOnly: features.f16,
  });
  const { f16, subgroups } = adapterFeatures;
  return {
    'in workgroup tiles': as('tiles'),
    'in registers': as('registers'),
    'composed of tfjs ops': as('composed'),
    ...(subgroups && { 'in workgroup tiles, with subgroups': as('tiles', { f16: false, subgroups }) }),
    ...(f16 && {
      'in workgroup tiles, with shader-f16': as('tiles', { f16, subgroups: false }),
      'in registers, with shader-f16': as('registers', { f16, subgroups: false }),
    }),
  };
}

/** @param variants by what they are called in the report */
export function testKernel(
  op: string,
  fixture: Fixture,
  run: Run,
  variants: Readonly<Record<string, Variant>> = {},
): void {
  const cases = fixture.metadata<readonly KernelCase[]>('cases');
  const relativeToRms = fixture.metadata<number>('tolerance');
  forEachBackend(op, (backend) => {
    const here = Object.entries<Variant>({ '': { run }, ...variants }).filter(
      ([, variant]) =>
        (variant.backend === undefined || variant.backend === backend) && (!onDawn || variant.halvesOnly),
    );
    describe.each(here)('%s', (_, variant) => {
      const runVariant = variant.run;
      const chosen = cases.filter(({ name }) => variant.cases?.includes(name) ?? true);
      const whole = variant.halvesOnly ? [] : chosen;
      it.each(whole)('$name: result', async (kernelCase) => {
        await withCase(kernelCase, 'F32', async ({ inputs, parameters }) => {
          const y = runVariant(inputs, parameters, kernelCase.options);
          await expectSampled(y, kernelCase, fixture.values(`${kernelCase.name}/y`), relativeToRms);
          y.dispose();
        });
      });
      it.each(chosen.filter(hasMatrix))('$name: float16 weights', async (kernelCase) => {
        await withCase(kernelCase, 'F16', async ({ inputs, parameters }) => {
          const y = runVariant(inputs, parameters, kernelCase.options);
          await expectSampled(y, kernelCase, fixture.values(`${kernelCase.name}/y`), FLOAT16_TOLERANCE);
          y.dispose();
        });
      });
      it.each(whole.filter(({ every }) => every === 1))('$name: gradients', async (kernelCase) => {
        await withCase(kernelCase, 'F32', (operands) => {
          const trained = Object.values(operands.parameters);
          return expectGradients({ ...operands, trained }, kernelCase, fixture, variant, relativeToRms);
        });
      });
    });
    const small = cases.filter(
      (kernelCase) =>
        kernelCase.every === 1 && hasMatrix(kernelCase) && Object.keys(kernelCase.inputs).length > 0,
    );
    // What an adapter on a frozen half-precision model needs: the inputs' gradients.
    it.each(small)('$name: gradients through float16 weights', async (kernelCase) => {
      await withCase(kernelCase, 'F16', (operands) =>
        expectGradients({ ...operands, trained: [] }, kernelCase, fixture, { run }, FLOAT16_TOLERANCE),
      );
    });
    it.each(cases.slice(0, 1))('$name: leaves nothing behind', async (kernelCase) => {
      for (const dtype of ['F32', 'F16'] as const) {
        await withCase(kernelCase, dtype, ({ inputs, parameters }) =>
          expectNoLeak(() => run(inputs, parameters, kernelCase.options).dispose()),
        );
      }
      await withCase(kernelCase, 'F32', (operands) => {
        const trained = Object.values(operands.parameters);
        return expectNoLeak(() => tf.dispose(gradientsOf({ ...operands, trained }, kernelCase, run)));
      });
    });
  });
}

function hasMatrix({ parameters }: KernelCase): boolean {
  return Object.values(parameters).some(({ shape }) => shape.length > 1);
}

interface Operands {
  readonly inputs: Readonly<Record<string, tf.Tensor>>;
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** The generator behind the inputs: dy is drawn next. */
  readonly generator: TorchGenerator;
}

/** Draws and loads the operands of a case, and disposes them afterwards. */
async function withCase(
  { seed, inputs: inputSpecs, parameters: parameterSpecs }: KernelCase,
  dtype: 'F32' | 'F16',
  body: (operands: Operands) => Promise<void>,
): Promise<void> {
  const root = new ParameterRoot();
  const parameters: Record<string, Parameter> = {};
  const shapes: Record<string, number[]> = {};
  for (const [name, { shape, layout }] of Object.entries(parameterSpecs)) {
    parameters[name] = root.scope.weight(name, shape, layout);
    shapes[name] = shape;
  }
  await root.load(randomStateDict(shapes, seed, dtype));
  const generator = new TorchGenerator(seed + 1);
  const inputs: Record<string, tf.Tensor> = {};
  for (const name of Object.keys(inputSpecs).sort()) {
    const { shape, scale, offset } = inputSpecs[name]!;
    const values = generator.randn(elementCount(shape)).map((value) => Math.fround(value * scale) + offset);
    inputs[name] = tf.tensor(values, shape);
  }
  await body({ inputs, parameters, generator });
  tf.dispose(inputs);
  root.dispose();
}

async function expectSampled(
  y: tf.Tensor,
  { name, every, outputShape }: KernelCase,
  expected: Reference,
  relativeToRms: number,
): Promise<void> {
  const values = await y.data();
  const sampled = values.filter((_, i) => i % every === 0);
  const shape = every === 1 ? outputShape : expected.shape;
  if (every > 1 && elementCount(y.shape) !== elementCount(outputShape))
    throw new Error(`${name}: ${y.shape}`);
  await expectClose(
    { shape: every === 1 ? y.shape : shape, data: sampled },
    { shape, data: expected.data },
    { relativeToRms, label: name },
  );
}

/** Operands, and the parameters to differentiate beside all inputs. */
type Differentiated = Omit<Operands, 'generator'> & { readonly trained: readonly Parameter[] };

/** The gradients of the inputs, then of the trained parameters, for a dy of ones or the given one. */
function gradientsOf(
  { inputs, parameters, trained }: Differentiated,
  { options, outputShape }: KernelCase,
  run: Run,
  dy?: tf.Tensor,
): tf.Tensor[] {
  const inputNames = Object.keys(inputs);
  return tf.tidy(() =>
    tf.grads((...operands: tf.Tensor[]) => {
      const named = inputNames.map((name, i): [string, tf.Tensor] => [name, operands[i]!]);
      const weights = Object.entries(parameters).map(([name, parameter]): [string, WeightTensor] => {
        const { shape, dtype } = parameter;
        const position = trained.indexOf(parameter);
        const tensor = position < 0 ? parameter.tensor : operands[inputNames.length + position]!;
        return [name, { name, shape, dtype, tensor }];
      });
      return run(Object.fromEntries(named), Object.fromEntries(weights), options);
    })([...Object.values(inputs), ...trained.map(({ tensor }) => tensor)], dy ?? tf.ones([...outputShape])),
  );
}

async function expectGradients(
  { generator, ...differentiated }: Differentiated & { readonly generator: TorchGenerator },
  kernelCase: KernelCase,
  fixture: Fixture,
  { run, within = (body) => body() }: Variant,
  relativeToRms: number,
): Promise<void> {
  const { name, outputShape } = kernelCase;
  const inputNames = Object.keys(differentiated.inputs);
  const dy = tf.tensor(generator.randn(elementCount(outputShape)), [...outputShape]);
  const gradients = within(() => gradientsOf(differentiated, kernelCase, run, dy));
  const expected = (operand: string): Reference => fixture.values(`${name}/d.${operand}`);
  for (const [i, inputName] of inputNames.entries()) {
    await expectClose(gradients[i]!, expected(inputName), {
      relativeToRms,
      label: `${name}: d ${inputName}`,
    });
  }
  for (const [i, parameter] of differentiated.trained.entries()) {
    const ours = new Float32Array(parameter.elementCount);
    const theirs = Float32Array.from(expected(parameter.name).data);
    copyToLayout(parameter.layout, parameter.torchShape, theirs, ours);
    await expectClose(
      gradients[inputNames.length + i]!,
      { shape: parameter.shape, data: ours },
      { relativeToRms, label: `${name}: d ${parameter.name}` },
    );
  }
  tf.dispose([gradients, dy]);
}
