import { InvalidConfigError, InvalidInputError } from '../../common/errors';
import { ConfigReader } from '../../models/config-reader';

export interface LoraConfig {
  /** Width of the bottleneck. */
  readonly rank: number;
  /** The adapter's share is scaled by alpha / rank. */
  readonly alpha: number;
  /** Names of the layers, or ends of their paths: `to_q` means every one. */
  readonly targetModules: readonly string[];
}

/** The projections of every attention: what Stable Diffusion's LoRA scripts train. */
export const ATTENTION_TARGETS: readonly string[] = ['to_q', 'to_k', 'to_v', 'to_out.0'];
export const FEED_FORWARD_TARGETS: readonly string[] = ['ff.net.0.proj', 'ff.net.2'];

/** PEFT's rule: the path itself, or its end behind a dot. */
export function isTarget(path: string, { targetModules }: LoraConfig): boolean {
  return targetModules.some((target) => path === target || path.endsWith(`.${target}`));
}

/** @throws InvalidInputError naming the field, what was expected and what came */
export function checkLoraConfig({ rank, alpha, targetModules }: LoraConfig): void {
  if (!Number.isSafeInteger(rank) || rank < 1) {
    throw new InvalidInputError(`The adapter's rank is a whole number of at least 1, but ${rank} came.`);
  }
  if (!Number.isFinite(alpha) || alpha <= 0) {
    throw new InvalidInputError(`The adapter's alpha is a number above 0, but ${alpha} came.`);
  }
  if (targetModules.length === 0) {
    throw new InvalidInputError(
      `The adapter has no layers: name at least one of ${[...ATTENTION_TARGETS, ...FEED_FORWARD_TARGETS].join(', ')}.`,
    );
  }
}

/** adapter_config.json, as PEFT's LoraConfig saves it. */
export function peftConfigJson({ rank, alpha, targetModules }: LoraConfig, baseModel: string): object {
  return {
    base_model_name_or_path: baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    target_modules: [...targetModules],
    task_type: null,
    use_dora: false,
    use_rslora: false,
  };
}

/**
 * Reads adapter_config.json.
 * @throws InvalidConfigError for what changes the arithmetic and is not supported, by field name
 */
export function parsePeftConfig(json: unknown): LoraConfig {
  const reader = new ConfigReader(json, 'LoraConfig');
  const type = reader.raw('peft_type');
  if (type !== 'LORA') {
    throw new InvalidConfigError(
      `adapter_config.json should be of a LoRA (peft_type "LORA"), but it says ${JSON.stringify(type)}.`,
    );
  }
  reader.only('use_dora', false);
  reader.only('use_rslora', false);
  reader.only('fan_in_fan_out', false);
  for (const field of ['rank_pattern', 'alpha_pattern', 'modules_to_save'] as const) {
    const value: unknown = reader.raw(field);
    if (value === undefined || value === null || Object.keys(Object(value)).length === 0) continue;
    reader.refuse(field, 'nothing: one rank and one alpha for all layers');
  }
  const targets: unknown = reader.raw('target_modules');
  if (!Array.isArray(targets) || !targets.every((target) => typeof target === 'string')) {
    throw new InvalidConfigError('adapter_config.json should have target_modules, a list of layer names.');
  }
  const config = {
    rank: reader.integer('r', 8, 1),
    alpha: reader.number('lora_alpha', 8),
    targetModules: [...targets].sort(),
  };
  checkLoraConfig(config);
  return config;
}
