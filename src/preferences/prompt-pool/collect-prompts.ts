import { promptKey } from '../../common/prompt-key';

/** Characters of a prompt that the engine takes. */
export const MAX_PROMPT_LENGTH = 2000;
/** Prompts of one pool: the paper draws 14,000. */
export const MAX_POOL_SIZE = 100_000;

export interface RejectedPrompt {
  /** 1 for the first row of the source. */
  readonly row: number;
  readonly reason: 'empty' | 'too-long' | 'duplicate' | 'not-text' | 'over-the-limit';
  /** Its beginning, for a message. */
  readonly text: string;
}

export interface PromptPool {
  readonly prompts: readonly string[];
  readonly rejected: readonly RejectedPrompt[];
}

/** Cleans and dedupes captions in their order; says of each row that is left out why. */
export function collectPrompts(rows: Iterable<unknown>, known: readonly string[] = []): PromptPool {
  const seen = new Set(known.map(promptKey));
  const prompts: string[] = [];
  const rejected: RejectedPrompt[] = [];
  let row = 0;
  for (const value of rows) {
    row += 1;
    // Half a surrogate pair is no letter of any tokenizer.
    const text = String(value ?? '')
      .replace(/\p{Surrogate}/gu, '\ufffd')
      .replace(/\s+/g, ' ')
      .trim();
    const leaveOut = (reason: RejectedPrompt['reason']): void => {
      rejected.push({ row, reason, text: text.slice(0, 80) });
    };
    const key = promptKey(text);
    if (value !== null && value !== undefined && typeof value !== 'string') leaveOut('not-text');
    else if (key === '') leaveOut('empty');
    else if (text.length > MAX_PROMPT_LENGTH) leaveOut('too-long');
    else if (seen.has(key)) leaveOut('duplicate');
    else if (prompts.length >= MAX_POOL_SIZE) leaveOut('over-the-limit');
    else {
      seen.add(key);
      prompts.push(text);
    }
  }
  return { prompts, rejected };
}
