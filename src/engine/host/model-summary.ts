import { InvalidConfigError } from '../../common/errors';
import { classOf, componentsOf, usualClassOf } from '../../diffusion/pipelines/model-index';
import { TANGO_LIMITS } from '../../diffusion/pipelines/tango-request';
import { type ModelFolder, openComponentStateDict } from '../../weights';
import type { ModelComponent, ModelSummary } from '../protocol';

/**
 * Describes a model folder from its configs, the headers of its weights and its card, without reading a weight.
 *
 * @param fallbackName what to call it when its card has no title
 * @throws InvalidConfigError, ModelNotFoundError, WeightsFormatError
 */
export async function summarizeModel(
  folder: ModelFolder,
  id: string,
  source: ModelSummary['source'],
  fallbackName: string,
): Promise<ModelSummary> {
  const index = await folder.json('model_index.json');
  const dtypes = new Set<string>();
  const components: ModelComponent[] = [];
  for (const name of componentsOf(index)) {
    const weights = await openComponentStateDict(folder, name);
    let parameterCount = 0;
    let bytes = 0;
    let largestTensorElements = 0;
    for (const tensor of weights.names()) {
      const { dtype, shape, byteLength } = weights.entry(tensor)!;
      dtypes.add(dtype);
      const elements = shape.reduce((product, size) => product * size, 1);
      parameterCount += elements;
      largestTensorElements = Math.max(largestTensorElements, elements);
      bytes += byteLength;
    }
    components.push({
      name,
      className: classOf(index, name) ?? usualClassOf(index, name),
      parameterCount,
      bytes,
      largestTensorElements,
    });
  }
  const card = await readCard(folder);
  const vocoder = asObject(await folder.json('vocoder/config.json'), 'vocoder/config.json');
  return {
    id,
    name: card.title ?? fallbackName,
    source,
    description: card.description,
    license: card.license,
    precision: dtypes.size > 1 ? 'mixed' : dtypes.has('F16') ? 'float16' : 'float32',
    bytes: components.reduce((sum, component) => sum + component.bytes, 0),
    parameterCount: components.reduce((sum, component) => sum + component.parameterCount, 0),
    components,
    sampleRateHz: typeof vocoder.sampling_rate === 'number' ? vocoder.sampling_rate : 16_000,
    minDurationSeconds: TANGO_LIMITS.durationSeconds.min,
    maxDurationSeconds: TANGO_LIMITS.durationSeconds.max,
  };
}

/** Title, licence and first paragraph of a model card (README.md with YAML front matter), as far as there are any. */
export async function readCard(
  folder: ModelFolder,
): Promise<{ title: string | null; description: string; license: string | null }> {
  if (!folder.has('README.md')) return { title: null, description: '', license: null };
  const text = await (await folder.blob('README.md')).text();
  const [, front = '', body = text] = /^---\r?\n([\s\S]*?)\r?\n---\r?\n([\s\S]*)$/.exec(text) ?? [];
  const paragraphs = body.split(/\r?\n\s*\r?\n/).map((paragraph) => paragraph.replace(/\s+/g, ' ').trim());
  return {
    title: /^#\s+(.+?)\s*$/m.exec(body)?.[1] ?? null,
    // Shown as plain words: Markdown's code marks would stand there as they are.
    description: (paragraphs.find((paragraph) => /^[\p{L}\p{N}*"'(]/u.test(paragraph)) ?? '').replaceAll(
      '`',
      '',
    ),
    license: /^license:\s*["']?([^"'\r\n]+?)["']?\s*$/m.exec(front)?.[1] ?? null,
  };
}

function asObject(json: unknown, path: string): Record<string, unknown> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return { ...json };
  throw new InvalidConfigError(`${path} should hold an object, but holds ${JSON.stringify(json)}.`);
}
