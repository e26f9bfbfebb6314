import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import { InvalidInputError, JobCancelledError, NetworkError } from '../../common/errors';
import { PERTURBATIONS_PER_PROMPT } from '../candidates/plan-candidates';
import { collectPrompts } from '../prompt-pool/collect-prompts';

/** Any server that answers as OpenAI's chat completions do: OpenAI's own, llama.cpp's, Ollama's, vLLM's. */
export interface LanguageModelEndpoint {
  /** Up to and with `/v1`. */
  readonly baseUrl: string;
  /** Sent as a bearer token; local servers take any text. */
  readonly apiKey: string;
  readonly model: string;
}

/** `perturbed`: strategy 2, wrong in content; `temporal`: strategy 3, wrong in the order of events. */
export type PerturbationKind = 'perturbed' | 'temporal';

/** For one caption, from the question to the last byte of the answer. */
export const ANSWER_TIMEOUT_MS = 60_000;
/** Five captions take a tenth of it. */
const MAX_ANSWER_TOKENS = 1000;

/** The requirements of the paper's Table 1 in words of our own. */
const REQUIREMENTS: Readonly<Record<PerturbationKind, readonly string[]>> = {
  perturbed: [
    'Stay close to the original: the same kind of scene, told in the same manner.',
    'Be wrong about the sound in at least one point: a source or an action is replaced by a kindred one, left out, or added.',
    'Say nothing that has no likeness to the original at all.',
    'Describe only what can be heard.',
    'Be about as long as the original.',
  ],
  temporal: [
    'Stay close to the original: the same kind of scene, told in the same manner.',
    'Be wrong about the course of events: their order is changed, events in turn become simultaneous or the reverse, an event is added between them, or one is left out.',
    'Keep the events themselves recognisable, apart from one that is added or left out.',
    'Say nothing that has no likeness to the original at all.',
    'Describe only what can be heard.',
    'Be about as long as the original.',
  ],
};

/** What the language model is asked. */
export function questionFor(caption: string, kind: PerturbationKind, count: number): string {
  return [
    `An audio clip has this caption: ${JSON.stringify(caption)}`,
    `Write ${count} other captions for it. Each of them has to:`,
    ...REQUIREMENTS[kind].map((requirement, i) => `${i + 1}. ${requirement}`),
    `Answer with a JSON array of ${count} strings and nothing else.`,
  ].join('\n');
}

export interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly count?: number;
  readonly timeoutMs?: number;
  /** Replaces the platform's. */
  readonly fetch?: typeof fetch;
}

/**
 * Wrong captions of one caption from a language model. An answer with too few that can be used is asked for once more;
 * what both gave together counts.
 *
 * @returns 1…count captions, each different from the others and from `caption`
 * @throws InvalidInputError for an endpoint that cannot be asked, or a refused key or model; NetworkError when it does not
 *   answer, answers late, or with something else than captions; JobCancelledError
 */
export async function askForWrongCaptions(
  endpoint: LanguageModelEndpoint,
  caption: string,
  kind: PerturbationKind,
  options: AskOptions = {},
): Promise<readonly string[]> {
  const { signal, count = PERTURBATIONS_PER_PROMPT, timeoutMs = ANSWER_TIMEOUT_MS } = options;
  const client = clientOf(endpoint, options.fetch);
  let found: readonly string[] = [];
  let answer = '';
  for (let attempt = 0; attempt < 2 && found.length < count; attempt += 1) {
    // The client's own time-out ends with the headers; an answer that never ends has to be cut off, too.
    const tooLate = AbortSignal.timeout(timeoutMs);
    const stop = signal ? AbortSignal.any([signal, tooLate]) : tooLate;
    try {
      const completion = await client.chat.completions.create(
        {
          model: endpoint.model,
          messages: [{ role: 'user', content: questionFor(caption, kind, count) }],
          max_tokens: MAX_ANSWER_TOKENS,
          temperature: 1,
        },
        { signal: stop },
      );
      // A server of another kind may answer with anything: a page, null, other fields.
      const content: unknown = completion?.choices?.[0]?.message?.content;
      if (typeof content !== 'string') throw notCaptions(endpoint, completion);
      answer = content;
    } catch (error) {
      throw explained(error, endpoint, { signal, tooLate, timeoutMs });
    }
    found = collectPrompts([...found, ...captionsIn(answer)], [caption]).prompts.slice(0, count);
  }
  if (found.length === 0) throw notCaptions(endpoint, answer);
  return found;
}

/** The texts of the first JSON array in an answer, or of its numbered lines; models like to say a word before it. */
export function captionsIn(answer: string): readonly string[] {
  const from = answer.indexOf('[');
  const to = answer.lastIndexOf(']');
  if (from >= 0 && to > from) {
    try {
      const parsed: unknown = JSON.parse(answer.slice(from, to + 1));
      if (Array.isArray(parsed)) return parsed.filter((one) => typeof one === 'string');
    } catch {
      // Not JSON after all: lines, perhaps.
    }
  }
  return answer
    .split('\n')
    .map((line) => /^\s*(?:\d+[.)]|[-*•])\s+(.+)$/.exec(line)?.[1] ?? '')
    .map((line) => line.replace(/^["“]|["”]$/g, ''))
    .filter(Boolean);
}

function clientOf(
  { baseUrl, apiKey, model }: LanguageModelEndpoint,
  fetcher: typeof fetch | undefined,
): OpenAI {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null;
  const local = url && ['localhost', '127.0.0.1'].includes(url.hostname);
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && local))) {
    throw new InvalidInputError(
      `The endpoint’s address begins with https:// (or http://localhost), but "${baseUrl}" came.`,
    );
  }
  if (model.trim() === '') throw new InvalidInputError('The endpoint needs the name of a model.');
  return new OpenAI({
    baseURL: baseUrl.replace(/\/+$/, ''),
    apiKey: apiKey || 'none',
    maxRetries: 2, // with Retry-After, where the server says it
    // There is no server of the studio's to hide a key on: the person's own key goes from this browser to the endpoint.
    dangerouslyAllowBrowser: true,
    ...(fetcher ? { fetch: fetcher } : {}),
  });
}

function notCaptions({ baseUrl }: LanguageModelEndpoint, answer: unknown): NetworkError {
  const text = typeof answer === 'string' ? answer : (JSON.stringify(answer) ?? String(answer));
  const begins = text.trim().replace(/\s+/g, ' ').slice(0, 80);
  return new NetworkError(
    `Expected a chat completion with a JSON array of captions from ${baseUrl}, but it answered "${begins}". Check that the address ends with the path of the API (often /v1), or choose another model.`,
  );
}

function explained(
  error: unknown,
  { baseUrl, model }: LanguageModelEndpoint,
  {
    signal,
    tooLate,
    timeoutMs,
  }: { signal: AbortSignal | undefined; tooLate: AbortSignal; timeoutMs: number },
): unknown {
  if (signal?.aborted) return signal.reason ?? new JobCancelledError('Cancelled.');
  if (tooLate.aborted || error instanceof APIConnectionTimeoutError || error instanceof APIUserAbortError) {
    return new NetworkError(
      `${baseUrl} gave no whole answer within ${timeoutMs / 1000} s. What was written so far is kept: try again, or choose a quicker model.`,
    );
  }
  if (error instanceof APIConnectionError) {
    return new NetworkError(
      `${baseUrl} cannot be reached: it is not running, or it does not allow pages of other origins (CORS).`,
      { cause: error },
    );
  }
  if (error instanceof APIError) {
    if (error.status === 401 || error.status === 403)
      return new InvalidInputError(`${baseUrl} refused the key (${error.status}). Check the API key.`);
    if (error.status === 404)
      return new InvalidInputError(
        `${baseUrl} knows no model "${model}", or has no chat completions there (404).`,
      );
    return new NetworkError(`${baseUrl} answered ${error.status ?? 'an error'}: ${error.message}`, {
      cause: error,
    });
  }
  if (error instanceof SyntaxError) {
    return new NetworkError(`${baseUrl} answered something that is no whole JSON. Try again.`, {
      cause: error,
    });
  }
  return error;
}
