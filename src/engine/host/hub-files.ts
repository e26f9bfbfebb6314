import { InvalidInputError } from '../../common/errors';
import type { ComponentName } from '../../diffusion/pipelines/model-index';
import type { HubFile, HubRepository } from '../../weights/hub';
import type { HubPlan } from '../protocol-hub';
import { chooseOnnx, findDocument, missingFiles, SENTENCE_DOCUMENTS } from './sentence-files';

/** Tango's published repositories leave the tokenizer to transformers, which takes it from here. */
export const TANGO_TOKENIZER_REPO = 'google/flan-t5-large';
const TANGO_TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json'];

const TANGO_WEIGHTS = ['pytorch_model_main.bin', 'pytorch_model_vae.bin'];
/** Of every family: a folder that a repository does not have gives no files. */
const COMPONENTS: readonly ComponentName[] = [
  'text_encoder',
  'text_encoder_2',
  'projection_model',
  'language_model',
  'unet',
  'vae',
  'vocoder',
];
const DOCUMENTS = ['README.md', 'model_index.json'];
/** Without these a CLAP cannot be read. */
const CLAP_NEEDS = ['config.json', 'preprocessor_config.json', 'tokenizer.json'];
const CLAP_DOCUMENTS = [...CLAP_NEEDS, 'README.md', 'tokenizer_config.json'];
/** Other models of the family have other names; the 16 kHz one comes first where a repository has both. */
const PANN_NAME = /cnn14|\bpanns?\b/i;
const PANN_WEIGHTS = [/^Cnn14_16k[^/]*\.pth$/, /^Cnn14(_mAP[^/]*)?\.pth$/];
/** What the hub says of models that embed sentences, of whatever architecture. */
const SENTENCE_TAGS = ['feature-extraction', 'sentence-similarity'];
/** In the order in which a folder's weights are looked for. */
const VARIANTS = ['', '.fp16'];
const STEMS = ['diffusion_pytorch_model', 'model', 'pytorch_model'];
const FORMATS = ['safetensors', 'bin'];

export interface ChosenFiles {
  readonly kind: HubPlan['kind'];
  readonly files: readonly HubFile[];
  /** Files that another repository has to give. */
  readonly elsewhere: { readonly repo: string; readonly paths: readonly string[] } | null;
}

/**
 * The files of a repository that a model is read from: not its other formats, optimizer states, samples.
 * @throws InvalidInputError when the repository holds no layout that the studio knows
 */
export function chooseFiles({
  repo,
  tags,
  files: listed,
}: Pick<HubRepository, 'repo' | 'tags' | 'files'>): ChosenFiles {
  const paths = new Set(listed.map(({ path }) => path));
  const named = (wanted: (path: string) => boolean): readonly HubFile[] =>
    listed.filter(({ path }) => wanted(path));
  if (TANGO_WEIGHTS.every((path) => paths.has(path))) {
    const files = named(
      (path) => TANGO_WEIGHTS.includes(path) || path === 'README.md' || /^[^/]+\.json$/.test(path),
    );
    const tokenizer = paths.has('tokenizer.json');
    return {
      kind: 'text-to-audio',
      files,
      elsewhere: tokenizer ? null : { repo: TANGO_TOKENIZER_REPO, paths: TANGO_TOKENIZER_FILES },
    };
  }
  if (paths.has('model_index.json')) {
    refuseSpeech(repo, paths);
    const weights = new Set(COMPONENTS.flatMap((component) => weightsOf(component, paths)));
    const files = named(
      (path) =>
        weights.has(path) ||
        DOCUMENTS.includes(path) ||
        /^(tokenizer|tokenizer_2|scheduler)\/[^/]+\.(json|txt|model)$/.test(path) ||
        COMPONENTS.some((component) => path === `${component}/config.json`),
    );
    return { kind: 'text-to-audio', files, elsewhere: null };
  }
  const weights = weightsOf('', paths);
  if (tags.includes('clap') && weights.length > 0 && CLAP_NEEDS.every((path) => paths.has(path))) {
    const files = named((path) => weights.includes(path) || CLAP_DOCUMENTS.includes(path));
    return { kind: 'clap', files, elsewhere: null };
  }
  const pann = pannWeights(repo, paths, weights);
  if (pann !== null) {
    return { kind: 'pann', files: named((path) => path === pann || path === 'README.md'), elsewhere: null };
  }
  if (tags.includes('bert')) {
    return { kind: 'sentence-embeddings', files: sentenceFiles(repo, paths, named), elsewhere: null };
  }
  if (!tags.includes('clap') && SENTENCE_TAGS.some((tag) => tags.includes(tag))) {
    throw new InvalidInputError(
      `${repo} embeds by another architecture than BERT, which is the one that the studio reads (its tags are ${tags.slice(0, 12).join(', ')}). Xenova/gte-large is a BERT.`,
    );
  }
  throw new InvalidInputError(
    `${repo} holds no model that the studio reads: a diffusers folder (model_index.json), Tango's files (${TANGO_WEIGHTS.join(', ')}), a CLAP of transformers (${CLAP_NEEDS.join(', ')}, weights), PANNs' Cnn14 (safetensors, .pth) or a BERT in ONNX. It has ${[...paths].slice(0, 8).join(', ') || 'no files'}.`,
  );
}

/** The one file of a Cnn14: in the Hub's layout, where the repository's name says what it is, or under its published name. */
function pannWeights(repo: string, paths: ReadonlySet<string>, weights: readonly string[]): string | null {
  const [whole] = weights;
  if (PANN_NAME.test(repo) && weights.length === 1 && whole !== undefined) return whole;
  const found = PANN_WEIGHTS.map((name) => [...paths].find((path) => name.test(path)));
  return found.find((path) => path !== undefined) ?? null;
}

/**
 * AudioLDM 2's models that read texts aloud have a VITS beside CLAP, whose tokenizer is no tokenizer.json. The other ones'
 * T5 has one: what that is the folder's own index says, once it is here.
 *
 * @throws InvalidInputError
 */
function refuseSpeech(repo: string, paths: ReadonlySet<string>): void {
  if (!paths.has('language_model/config.json') || paths.has('tokenizer_2/tokenizer.json')) return;
  throw new InvalidInputError(
    `${repo} is an AudioLDM 2 without tokenizer_2/tokenizer.json: one that reads texts aloud (VITS), which the studio does not. It takes those for sounds and music: cvssp/audioldm2, cvssp/audioldm2-large, cvssp/audioldm2-music.`,
  );
}

/** @throws InvalidInputError naming what is missing, ONNX before all */
function sentenceFiles(
  repo: string,
  paths: ReadonlySet<string>,
  named: (wanted: (path: string) => boolean) => readonly HubFile[],
): readonly HubFile[] {
  const has = (path: string): boolean => paths.has(path);
  const missing = missingFiles(has);
  if (missing.length > 0) {
    throw new InvalidInputError(
      `${repo} holds a sentence embedder, which the studio reads from ONNX: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not there. It has ${[...paths].slice(0, 8).join(', ') || 'no files'}. Xenova/gte-large has what is needed.`,
    );
  }
  const wanted = [chooseOnnx(has), 'README.md', ...SENTENCE_DOCUMENTS.map((name) => findDocument(has, name))];
  return named((path) => wanted.includes(path));
}

/** One set of a component's weights, the first that `openComponentStateDict` would find; '' is the folder itself. */
function weightsOf(component: string, paths: ReadonlySet<string>): readonly string[] {
  const folder = component === '' ? '' : `${component}/`;
  for (const variant of VARIANTS) {
    for (const stem of STEMS) {
      for (const format of FORMATS) {
        const single = `${folder}${stem}${variant}.${format}`;
        if (paths.has(single)) return [single];
        const index = [
          `${folder}${stem}.${format}.index${variant}.json`,
          `${folder}${stem}${variant}.${format}.index.json`,
        ].find((path) => paths.has(path));
        if (index === undefined) continue;
        const shards = [...paths].filter(
          (path) =>
            path.startsWith(`${folder}${stem}`) &&
            path.endsWith(`.${format}`) &&
            path.includes('-of-') &&
            path.includes('.fp16') === (variant !== ''),
        );
        return [index, ...shards];
      }
    }
  }
  return [];
}
