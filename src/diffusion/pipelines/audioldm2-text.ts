import * as tf from '@tensorflow/tfjs-core';
import {
  Audioldm2ProjectionModel,
  generateStates,
  parseAudioldm2ProjectionConfig,
} from '../../models/audioldm2';
import {
  CLAP_AUDIO_KEYS,
  CLAP_IGNORED_KEYS,
  ClapTextModelWithProjection,
  parseClapTextTower,
} from '../../models/clap';
import { ConfigReader } from '../../models/config-reader';
import { GPT2_IGNORED_KEYS, Gpt2Model, gpt2StateDict, parseGpt2Config } from '../../models/gpt2';
import type { UNet2DConditionConfig } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import { type EncodedPrompts, joinPrompts, type TextTokenizer } from '../../text/text-tokenizer';
import { type ModelFolder, openComponentStateDict } from '../../weights';
import { type Expectation, type Plan, unmet } from './component-plan';
import { planT5, type TextEncoder } from './single-text-encoder';
import type { EncodedText, PromptTexts, TextConditioner } from './text-conditioning';

/** Starts and ends that the projection model puts around both texts, and CLAP's one embedding. */
const POSITIONS_BESIDE_T5 = 5;
/** `max_new_tokens` of the published models, for a config.json without it. */
const DEFAULT_NEW_TOKENS = 8;

interface LanguageModel {
  readonly gpt2: Gpt2Model;
  /** States that it answers with. */
  readonly newTokens: number;
}

/**
 * AudioLDM 2's way from a text to the UNet: CLAP's embedding and T5's states are projected to one sequence, to which
 * GPT-2 answers with eight states. The UNet attends to these and to T5's.
 */
export class Audioldm2Text implements TextConditioner {
  readonly conditioning = 'two-states';
  readonly plans: readonly Plan<unknown>[];

  private constructor(
    private readonly tokenizer: TextTokenizer,
    private readonly tokenizer2: TextTokenizer,
    private readonly clap: Plan<ClapTextModelWithProjection>,
    private readonly t5: Plan<TextEncoder>,
    private readonly projection: Plan<Audioldm2ProjectionModel>,
    private readonly language: Plan<LanguageModel>,
  ) {
    this.plans = [clap, t5, projection, language];
  }

  /** @throws InvalidConfigError, ModelNotFoundError, WeightsFormatError */
  static async plan(
    folder: ModelFolder,
    tokenizer: TextTokenizer,
    tokenizer2: TextTokenizer,
  ): Promise<Audioldm2Text> {
    return new Audioldm2Text(
      tokenizer,
      tokenizer2,
      await planClap(folder),
      await planT5(folder, 'text_encoder_2'),
      await planProjection(folder),
      await planLanguageModel(folder),
    );
  }

  /**
   * T5's tokens are as many as the longest prompt has: a negative prompt is padded or cut to them, as in
   * `AudioLDM2Pipeline`, whose language model counts positions and would answer otherwise to another padding.
   */
  encode({ negativePrompts, prompts: positive }: PromptTexts): EncodedText {
    const texts = [...negativePrompts, ...positive];
    const ofPrompts = this.tokenizer2.encodeBatch(positive);
    const ofNegative = this.tokenizer2.encodeBatch(negativePrompts, ofPrompts.length, ofPrompts.length);
    const t5Prompts = joinPrompts([ofNegative, ofPrompts]);
    // RoBERTa's positions count tokens only: CLAP's embedding does not depend on the padding.
    const clapPrompts = this.tokenizer.encodeBatch(texts);
    const truncated = (row: number): boolean =>
      [t5Prompts, clapPrompts].some(({ prompts }) => prompts[row]?.truncated ?? false);
    const tensors = tf.tidy(() => {
      const ofClap = idsAndMask(clapPrompts);
      const ofT5 = idsAndMask(t5Prompts);
      const embedding = this.clap.model.forward(ofClap.ids, ofClap.mask); // [B, D]
      const first = {
        states: tf.expandDims<tf.Tensor3D>(embedding, 1),
        mask: tf.ones<tf.Rank.R2>([texts.length, 1]),
      };
      const second = { states: this.t5.model.forward(ofT5.ids, ofT5.mask), mask: ofT5.mask };
      const { gpt2, newTokens } = this.language.model;
      const states = generateStates(gpt2, this.projection.model.forward(first, second), newTokens);
      return { states, mask: tf.ones<tf.Rank.R2>([texts.length, newTokens]), second };
    });
    const prompts = t5Prompts.prompts.map((prompt, row) => ({ ...prompt, truncated: truncated(row) }));
    return { ...tensors, prompts: { ...t5Prompts, prompts } };
  }

  problemsWith(unet: UNet2DConditionConfig): readonly string[] {
    const { config } = this.projection.model;
    const { gpt2, newTokens } = this.language.model;
    const positions = this.tokenizer2.maxTokens + POSITIONS_BESIDE_T5 + newTokens;
    const ofUnet = unet.crossAttentionDim.flatMap((widths) =>
      widths.flatMap((width, i): readonly Expectation[] => {
        if (width === null) return [];
        return i < 2
          ? [
              [
                'the UNet’s first cross_attention_dim',
                width,
                'the language model’s n_embd',
                gpt2.config.hiddenSize,
              ],
            ]
          : [
              [
                'the UNet’s last cross_attention_dim',
                width,
                'the second text encoder’s d_model',
                this.t5.model.width,
              ],
            ];
      }),
    );
    const problems = [
      ...unmet([
        [
          'the projection’s text_encoder_dim',
          config.textEncoderDim,
          'CLAP’s projection_dim',
          this.clap.model.config.projectionDim,
        ],
        [
          'the projection’s text_encoder_1_dim',
          config.textEncoder1Dim,
          'the second text encoder’s d_model',
          this.t5.model.width,
        ],
        [
          'the projection’s langauge_model_dim',
          config.languageModelDim,
          'the language model’s n_embd',
          gpt2.config.hiddenSize,
        ],
        ...ofUnet,
      ]),
    ];
    for (const [name, { vocabularySize }, known] of [
      ['tokenizer', this.tokenizer, this.clap.model.config.vocabSize],
      ['tokenizer_2', this.tokenizer2, this.t5.model.vocabSize],
    ] as const) {
      if (vocabularySize > known) {
        problems.push(`${name} has ${vocabularySize} tokens, but its text encoder knows ${known}`);
      }
    }
    if (this.tokenizer.padTokenId !== this.clap.model.config.padTokenId) {
      problems.push(
        `the tokenizer pads with token ${this.tokenizer.padTokenId}, but CLAP’s pad_token_id is ${this.clap.model.config.padTokenId}`,
      );
    }
    if (positions > gpt2.config.maxPositionEmbeddings) {
      problems.push(
        `the longest text takes ${positions} positions of the language model, but its n_positions is ${gpt2.config.maxPositionEmbeddings}`,
      );
    }
    if (unet.classEmbedding !== null) problems.push('the UNet has a class embedding, but nothing gives one');
    return problems;
  }
}

function idsAndMask({ inputIds, attentionMask, length, prompts }: EncodedPrompts): {
  readonly ids: tf.Tensor2D;
  readonly mask: tf.Tensor2D;
} {
  const shape: [number, number] = [prompts.length, length];
  return { ids: tf.tensor2d(inputIds, shape, 'int32'), mask: tf.tensor2d(attentionMask, shape) };
}

/** The text tower: the audio tower ranks takes in diffusers, which the studio's own CLAP does here. */
async function planClap(folder: ModelFolder): Promise<Plan<ClapTextModelWithProjection>> {
  const parameters = new ParameterRoot();
  const config = parseClapTextTower(await folder.json('text_encoder/config.json'));
  return {
    component: 'text_encoder',
    className: 'ClapModel',
    label: 'CLAP text encoder',
    parameters,
    model: new ClapTextModelWithProjection(config, parameters.scope),
    stateDict: await openComponentStateDict(folder, 'text_encoder'),
    ignoreUnexpected: [...CLAP_IGNORED_KEYS, ...CLAP_AUDIO_KEYS],
  };
}

async function planProjection(folder: ModelFolder): Promise<Plan<Audioldm2ProjectionModel>> {
  const parameters = new ParameterRoot();
  const config = parseAudioldm2ProjectionConfig(await folder.json('projection_model/config.json'));
  return {
    component: 'projection_model',
    className: 'AudioLDM2ProjectionModel',
    label: 'projection',
    parameters,
    model: new Audioldm2ProjectionModel(config, parameters.scope),
    stateDict: await openComponentStateDict(folder, 'projection_model'),
    ignoreUnexpected: [],
  };
}

async function planLanguageModel(folder: ModelFolder): Promise<Plan<LanguageModel>> {
  const parameters = new ParameterRoot();
  const json = await folder.json('language_model/config.json');
  const gpt2 = new Gpt2Model(parseGpt2Config(json), parameters.scope);
  return {
    component: 'language_model',
    className: 'GPT2Model',
    label: 'language model',
    parameters,
    model: {
      gpt2,
      newTokens: new ConfigReader(json, 'the language model').integer(
        'max_new_tokens',
        DEFAULT_NEW_TOKENS,
        1,
        gpt2.config.maxPositionEmbeddings,
      ),
    },
    stateDict: gpt2StateDict(await openComponentStateDict(folder, 'language_model')),
    ignoreUnexpected: GPT2_IGNORED_KEYS,
  };
}
