import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { assert, elementCount, required } from '../../common/assert';
import type { BufferPool } from './buffer-pool';
import { SubmitBudget } from './submit-budget';
import { UniformBuffers, type UniformField } from './uniform-buffers';

/** Beyond this many everything is forgotten: three steps of training of Tango's UNet, or thirty different passes. */
const MOST_BIND_GROUPS = 2 ** 14;

/** A program with its sizes and numbers: all of a dispatch but the buffers. */
interface Call {
  readonly uniforms: GPUBufferBinding;
  /** By the numbers of the buffers. */
  readonly bindGroups: Map<string, GPUBindGroup>;
}

interface PipelineCalls {
  readonly layout: GPUBindGroupLayout;
  /** By shapes and numbers. */
  readonly calls: Map<string, Call>;
}

/** What tfjs's backend keeps to itself. */
interface Encoding {
  commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  recordAndSubmit(
    program: WebGPUProgram,
    output: tf.TensorInfo,
    inputs: readonly tf.TensorInfo[],
    numbers?: readonly UniformField[],
  ): void;
  getBufferData(buffer: GPUBuffer): Promise<ArrayBuffer>;
}

/**
 * Encodes the backend's dispatches in tfjs's place. tfjs makes a bind group and writes a small buffer of uniforms for each,
 * and keeps what a disposed tensor held until the next submit. Here both stay for the next time that the same program
 * meets the same sizes and buffers, which in a loop of passes is the next pass; a buffer is free as soon as its tensor is
 * (commands run in their order, so what comes later may write to it); and a submit holds about a block's dispatches.
 */
export class CommandRecorder {
  readonly #backend: WebGPUBackend;
  readonly #encoding: Encoding;
  readonly #pool: BufferPool;
  readonly #uniforms: UniformBuffers;
  readonly #budget = new SubmitBudget();
  readonly #pipelines = new Map<GPUComputePipeline, PipelineCalls>();
  #bindGroupCount = 0;

  constructor(backend: WebGPUBackend, pool: BufferPool) {
    this.#backend = backend;
    this.#encoding = backend as unknown as Encoding;
    this.#pool = pool;
    this.#uniforms = new UniformBuffers(backend.device);
  }

  /** From now on the backend's commands come here. */
  install(): void {
    const backend = this.#backend;
    this.#encoding.recordAndSubmit = (...args) => this.#record(...args);
    const { submitQueue } = backend;
    backend.submitQueue = () => {
      this.#uniforms.upload();
      submitQueue.call(backend);
      this.#budget.submitted(performance.now());
      if (this.#uniforms.isFull || this.#bindGroupCount > MOST_BIND_GROUPS) this.#forget();
      this.#pool.shrink();
    };
    const { getBufferData } = this.#encoding;
    this.#encoding.getBufferData = async (buffer) => {
      const read = getBufferData.call(backend, buffer); // submits
      const stretch = this.#budget.mark();
      const data = await read;
      this.#budget.ended(stretch, performance.now());
      return data;
    };
  }

  #record(...[program, output, inputs, numbers = []]: Parameters<Encoding['recordAndSubmit']>): void {
    const pipeline = required(program.pipeline, 'the pipeline of a program that is to run');
    assert(!(pipeline instanceof Promise), 'A program was to run before it was compiled.');
    const known = this.#pipelines.get(pipeline);
    const { layout, calls } = known ?? { layout: pipeline.getBindGroupLayout(0), calls: new Map() };
    if (!known) this.#pipelines.set(pipeline, { layout, calls });
    const { uniforms, bindGroups } = this.#callOf(calls, program, output, inputs, numbers);
    const buffers = [output, ...inputs].map((info) => this.#bufferOf(info));
    let key = '';
    for (const buffer of buffers) key += `${this.#pool.numberOf(buffer)},`;
    let bindGroup = bindGroups.get(key);
    if (!bindGroup) {
      const resources = [...buffers.map((buffer) => ({ buffer })), uniforms];
      bindGroup = this.#backend.device.createBindGroup({
        layout,
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
      bindGroups.set(key, bindGroup);
      this.#bindGroupCount += 1;
    }
    this.#backend.ensureCommandEncoderReady();
    this.#encoding.computePassEncoder ??= this.#encoding.commandEncoder.beginComputePass();
    const pass = this.#encoding.computePassEncoder;
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...program.dispatch);
    if (this.#budget.add(program)) {
      this.#backend.endComputePassEncoder();
      this.#backend.submitQueue();
    }
  }

  #callOf(
    calls: Map<string, Call>,
    { size, outputShape, outputComponent = 1 }: WebGPUProgram,
    output: tf.TensorInfo,
    inputs: readonly tf.TensorInfo[],
    numbers: readonly UniformField[],
  ): Call {
    const shapes = [...inputs, output].map(({ shape }) => shape);
    // Several thousand times a step: arrays joined to arrays take longer than all else here.
    let key = size ? `${outputComponent} ` : '';
    for (const shape of shapes) {
      for (const length of shape) key += `${length},`;
      key += ' ';
    }
    for (const { data } of numbers) for (const value of data) key += `${value},`;
    const known = calls.get(key);
    if (known) return known;
    const integers = (data: readonly number[]): UniformField => ({ type: 'int32', data });
    // The order in which tfjs's shaders declare them.
    const uniforms = this.#uniforms.add([
      { type: 'float32', data: [Number.NaN] },
      { type: 'float32', data: [Number.POSITIVE_INFINITY] },
      ...shapes.flatMap((shape) => [integers(shape), integers(tf.util.computeStrides(shape))]),
      ...(size ? [integers([elementCount(outputShape) / outputComponent])] : []),
      ...numbers,
    ]);
    const call = { uniforms, bindGroups: new Map() };
    calls.set(key, call);
    return call;
  }

  #bufferOf({ dataId }: tf.TensorInfo): GPUBuffer {
    const { resource } = this.#backend.tensorMap.get(dataId);
    return required(resource as GPUBuffer | null, "a buffer with a program's operand");
  }

  #forget(): void {
    this.#pipelines.clear();
    this.#uniforms.clear();
    this.#bindGroupCount = 0;
  }
}
