import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { Embedding, Linear, type ParameterScope } from '../../nn';
import type { ClassEmbedding, UNet2DConditionConfig } from './config';
import { sinusoidalFrequencies, TimestepEmbedding } from './timestep-embedding';

/** Class labels to vectors of the time embedding's width; [B, …] -> [B, timeEmbedDim]. */
export interface ClassEmbedder {
  forward(labels: tf.Tensor): tf.Tensor2D;
}

/** Builds the embedder that the config asks for, with its parameters under `class_embedding`. */
export function buildClassEmbedder(
  params: ParameterScope,
  kind: ClassEmbedding,
  config: UNet2DConditionConfig,
): ClassEmbedder {
  const { timeEmbedDim, activation } = config;
  const scope = params.child('class_embedding');
  const checked = (width: number, embed: (labels: tf.Tensor) => tf.Tensor): ClassEmbedder => ({
    forward(labels) {
      matchShape('classLabels', labels.shape, ['B', width]);
      return embed(labels) as tf.Tensor2D;
    },
  });
  switch (kind.type) {
    case 'identity':
      return checked(timeEmbedDim, (labels) => tf.clone(labels));
    case 'simple_projection': {
      const projection = new Linear(scope, kind.inputWidth, timeEmbedDim);
      return checked(kind.inputWidth, (labels) => projection.forward(labels));
    }
    case 'projection': {
      // diffusers uses its default activation here, not the config's.
      const embedding = new TimestepEmbedding(scope, kind.inputWidth, timeEmbedDim, 'silu');
      return checked(kind.inputWidth, (labels) => embedding.forward(labels));
    }
    case 'timestep': {
      const width = config.blockOutChannels[0]!;
      const embedding = new TimestepEmbedding(scope, width, timeEmbedDim, activation);
      return {
        forward(labels) {
          matchShape('classLabels', labels.shape, ['B']);
          return tf.tidy(
            () => embedding.forward(sinusoidsOf(labels as tf.Tensor1D, width, config)) as tf.Tensor2D,
          );
        },
      };
    }
    case 'index': {
      const table = new Embedding(scope, kind.classes, timeEmbedDim);
      return {
        forward(labels) {
          matchShape('classLabels', labels.shape, ['B']);
          return table.forward(labels) as tf.Tensor2D;
        },
      };
    }
  }
}

/** `sinusoidalEmbedding` of numbers that are on the backend: [B] -> [B, width]. */
function sinusoidsOf(labels: tf.Tensor1D, width: number, config: UNet2DConditionConfig): tf.Tensor2D {
  const frequencies = sinusoidalFrequencies(width, config.freqShift);
  const angles = tf.mul(tf.expandDims(labels, 1), tf.tensor2d(frequencies, [1, frequencies.length])); // [B, width / 2]
  const [sin, cos] = [tf.sin(angles), tf.cos(angles)];
  const parts = config.flipSinToCos ? [cos, sin] : [sin, cos];
  return tf.concat(width % 2 === 1 ? [...parts, tf.zeros([labels.shape[0], 1])] : parts, 1) as tf.Tensor2D;
}
