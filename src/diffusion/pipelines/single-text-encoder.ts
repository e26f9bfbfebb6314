import * as tf from '@tensorflow/tfjs-core';
import { CLAP_IGNORED_KEYS, ClapTextModelWithProjection, parseClapTextConfig } from '../../models/clap';
import { parseT5Config, T5_ENCODER_IGNORED_KEYS, T5EncoderModel, t5EncoderStateDict } from '../../models/t5';
import type { UNet2DConditionConfig } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import type { TextTokenizer } from '../../text/text-tokenizer';
import { type ModelFolder, openComponentStateDict } from '../../weights';
import { type Expectation, type Plan, unmet } from './component-plan';
import type { ComponentName } from './model-index';
import type { EncodedText, PromptTexts, TextConditioner } from './text-conditioning';

/** A text encoder over tokens, whatever it is built of. */
export interface TextEncoder {
  readonly vocabSize: number;
  /** Width of the states. */
  readonly width: number;
  readonly conditioning: 'states' | 'class-embedding';
  /**
   * @param inputIds int32 [B, L]
   * @param attentionMask [B, L], 1 for a token, 0 for padding
   * @returns [B, S, D]: S is L for states, 1 for a class embedding
   */
  forward(inputIds: tf.Tensor2D, attentionMask: tf.Tensor2D): tf.Tensor3D;
}

/** Tango's, and the second one of AudioLDM 2. */
export async function planT5(folder: ModelFolder, component: ComponentName): Promise<Plan<TextEncoder>> {
  const parameters = new ParameterRoot();
  const config = parseT5Config(await folder.json(`${component}/config.json`));
  const model = new T5EncoderModel(config, parameters.scope);
  return {
    component,
    className: 'T5EncoderModel',
    label: 'text encoder',
    parameters,
    model: {
      vocabSize: config.vocabSize,
      width: config.dModel,
      conditioning: 'states',
      forward: (inputIds, attentionMask) => model.forward(inputIds, attentionMask),
    },
    stateDict: t5EncoderStateDict(await openComponentStateDict(folder, component)),
    ignoreUnexpected: T5_ENCODER_IGNORED_KEYS,
  };
}

/** AudioLDM's: CLAP's embedding of the text, brought to length 1 as `AudioLDMPipeline` does. */
async function planClapText(folder: ModelFolder): Promise<Plan<TextEncoder>> {
  const parameters = new ParameterRoot();
  const config = parseClapTextConfig(await folder.json('text_encoder/config.json'));
  const model = new ClapTextModelWithProjection(config, parameters.scope);
  return {
    component: 'text_encoder',
    className: 'ClapTextModelWithProjection',
    label: 'text encoder',
    parameters,
    model: {
      vocabSize: config.vocabSize,
      width: config.projectionDim,
      conditioning: 'class-embedding',
      forward: (inputIds, attentionMask) =>
        tf.tidy(() => tf.expandDims<tf.Tensor3D>(model.forward(inputIds, attentionMask), 1)),
    },
    stateDict: await openComponentStateDict(folder, 'text_encoder'),
    ignoreUnexpected: CLAP_IGNORED_KEYS,
  };
}

/** One tokenizer, one text encoder: Tango and AudioLDM. */
export class SingleTextEncoder implements TextConditioner {
  readonly conditioning: TextEncoder['conditioning'];
  readonly plans: readonly Plan<unknown>[];

  private constructor(
    private readonly tokenizer: TextTokenizer,
    private readonly plan: Plan<TextEncoder>,
  ) {
    this.conditioning = plan.model.conditioning;
    this.plans = [plan];
  }

  /** @throws InvalidConfigError, ModelNotFoundError, WeightsFormatError */
  static async plan(folder: ModelFolder, tokenizer: TextTokenizer): Promise<SingleTextEncoder> {
    const config = await folder.json('text_encoder/config.json');
    const isClap = Object(config).model_type === 'clap_text_model';
    const plan = isClap ? await planClapText(folder) : await planT5(folder, 'text_encoder');
    return new SingleTextEncoder(tokenizer, plan);
  }

  /** Negative prompts first, all padded to the longest, each with its own mask. */
  encode({ negativePrompts, prompts: positive }: PromptTexts): EncodedText {
    const texts = [...negativePrompts, ...positive];
    const prompts = this.tokenizer.encodeBatch(texts);
    const shape: [number, number] = [texts.length, prompts.length];
    const { model } = this.plan;
    const { states, mask } = tf.tidy(() => {
      const mask = tf.tensor2d(prompts.attentionMask, shape); // [B, L]
      const states = model.forward(tf.tensor2d(prompts.inputIds, shape, 'int32'), mask);
      // An embedding of the whole text is one state, which counts.
      return {
        states,
        mask: model.conditioning === 'states' ? mask : tf.ones<tf.Rank.R2>([texts.length, 1]),
      };
    });
    return { states, mask, second: null, prompts };
  }

  problemsWith(unet: UNet2DConditionConfig): readonly string[] {
    const { model, className } = this.plan;
    const problems = [
      ...unmet(
        widthsOfText(unet).map(([what, width]) => [what, width, 'the text encoder’s width', model.width]),
      ),
    ];
    if (this.tokenizer.vocabularySize > model.vocabSize) {
      problems.push(
        `the tokenizer has ${this.tokenizer.vocabularySize} tokens, but the text encoder knows ${model.vocabSize}`,
      );
    }
    if ((unet.classEmbedding !== null) !== (model.conditioning === 'class-embedding')) {
      problems.push(
        `${className} is no text encoder for a UNet ${unet.classEmbedding ? 'with' : 'without'} a class embedding`,
      );
    }
    if (unet.crossAttentionDim.some((widths) => widths.length > 1)) {
      problems.push('the UNet attends to two states of a prompt, but there is one text encoder');
    }
    return problems;
  }
}

/** What the UNet expects of the text: AudioLDM's attends to none, its cross attentions are a second self attention. */
function widthsOfText({
  classEmbedding,
  crossAttentionDim,
}: UNet2DConditionConfig): readonly (readonly [Expectation[0], Expectation[1]])[] {
  if (classEmbedding === null) {
    return crossAttentionDim
      .flat()
      .filter((width) => width !== null)
      .map((width) => ['the UNet’s cross_attention_dim', width] as const);
  }
  return 'inputWidth' in classEmbedding
    ? [['the UNet’s projection_class_embeddings_input_dim', classEmbedding.inputWidth]]
    : [];
}
