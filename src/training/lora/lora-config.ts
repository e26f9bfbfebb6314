import { InvalidConfigError, InvalidInputError } from '../../common/errors';
import { ConfigReader } from '../../models/config-reader';

export interface LoraConfig {
  /** Width of the bottleneck. */
  readonly rank: number;
  /** The adapter's share is scaled by alpha / rank. */
  readonly alpha: number;
  /** Names of the layers, or ends of their paths: `to_q` means every one. */
  readonly targetModules: readonly string[];
  /** Layers of another rank or alpha, by the rule of `targetModules`: files of other tools have them. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

/** The projections of every attention: what Stable Diffusion's LoRA scripts train. */
export const ATTENTION_TARGETS: readonly string[] = ['to_q', 'to_k', 'to_v', 'to_out.0'];
export const FEED_FORWARD_TARGETS: readonly string[] = ['ff.net.0.proj', 'ff.net.2'];
/** Of the resnets and of the layers that change the size: what kohya's LoCon trains beside the transformers. */
export const CONVOLUTION_TARGETS: readonly string[] = [
  'conv1',
  'conv2',
  'conv_shortcut',
  'downsamplers.0.conv',
  'upsamplers.0.conv',
];

/** PEFT's rule: the path itself, or its end behind a dot. */
export function isTarget(path: string, { targetModules }: LoraConfig): boolean {
  return targetModules.some((target) => matches(path, target));
}

function matches(path: string, target: string): boolean {
  return path === target || path.endsWith(`.${target}`);
}

/** The layer's rank, and alpha / rank. */
export function scaleOf(
  path: string,
  config: LoraConfig,
): { readonly rank: number; readonly scaling: number } {
  const rank = patternValue(path, config.rankPattern) ?? config.rank;
  return { rank, scaling: (patternValue(path, config.alphaPattern) ?? config.alpha) / rank };
}

function patternValue(path: string, pattern: Readonly<Record<string, number>> = {}): number | undefined {
  return Object.entries(pattern).find(([target]) => matches(path, target))?.[1];
}

/** @throws InvalidInputError naming the field, what was expected and what came */
export function checkLoraConfig({
  rank,
  alpha,
  targetModules,
  rankPattern = {},
  alphaPattern = {},
}: LoraConfig): void {
  for (const value of [rank, ...Object.values(rankPattern)]) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new InvalidInputError(`The adapter's rank is a whole number of at least 1, but ${value} came.`);
  }
  for (const value of [alpha, ...Object.values(alphaPattern)]) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new InvalidInputError(`The adapter's alpha is a number above 0, but ${value} came.`);
  }
  if (targetModules.length === 0) {
    throw new InvalidInputError(
      `The adapter has no layers: name at least one of ${[...ATTENTION_TARGETS, ...FEED_FORWARD_TARGETS, ...CONVOLUTION_TARGETS].join(', ')}.`,
    );
  }
}

/** adapter_config.json, as PEFT's LoraConfig saves it. */
export function peftConfigJson(
  { rank, alpha, targetModules, rankPattern = {}, alphaPattern = {} }: LoraConfig,
  baseModel: string,
): object {
  return {
    alpha_pattern: alphaPattern,
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
    rank_pattern: rankPattern,
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
  const saved: unknown = reader.raw('modules_to_save');
  if (saved !== undefined && Object.keys(Object(saved)).length > 0) {
    reader.refuse('modules_to_save', 'nothing: low-rank weights alone');
  }
  const targets: unknown = reader.raw('target_modules');
  if (!Array.isArray(targets) || !targets.every((target) => typeof target === 'string')) {
    throw new InvalidConfigError('adapter_config.json should have target_modules, a list of layer names.');
  }
  const rankPattern = patternOf(reader, 'rank_pattern');
  const alphaPattern = patternOf(reader, 'alpha_pattern');
  const config = {
    rank: reader.integer('r', 8, 1),
    alpha: reader.number('lora_alpha', 8),
    targetModules: [...targets].sort(),
    ...(rankPattern && { rankPattern }),
    ...(alphaPattern && { alphaPattern }),
  };
  checkLoraConfig(config);
  return config;
}

/** PEFT reads the names as regular expressions; those of files that it saved are names of layers. */
function patternOf(reader: ConfigReader, field: string): Readonly<Record<string, number>> | null {
  const value: unknown = reader.raw(field) ?? {};
  const entries = Object.entries(Object(value));
  const valid = entries.every(([name, number]) => /^[\w.]+$/.test(name) && typeof number === 'number');
  if (!valid) reader.refuse(field, 'names of layers, each with a number');
  return entries.length > 0 ? (Object.fromEntries(entries) as Record<string, number>) : null;
}
