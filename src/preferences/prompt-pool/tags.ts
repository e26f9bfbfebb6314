/** Words by which the paper finds the prompts of strategy 3. */
const SEQUENCE_WORDS = /\b(before|after|then|followed)\b/i;
/** Words by which the paper calls a prompt temporal in its Table 5. */
const TEMPORAL_WORDS = /\b(while|as|before|after|then|followed)\b/i;
/** A second event: a conjunction, or a comma between clauses. */
const JOINTS = /\b(and|while|as|before|after|then|followed|with|over|during|amid|until)\b|[,;]/i;

export interface PromptTags {
  /** Tells an order of events: strategy 3 applies. */
  readonly sequence: boolean;
  /** Sequence or simultaneity, as the paper's Table 5 splits its prompts. */
  readonly temporal: boolean;
  /** More than one sound event, as its Table 4 does. */
  readonly multiConcept: boolean;
}

export function tagPrompt(prompt: string): PromptTags {
  return {
    sequence: SEQUENCE_WORDS.test(prompt),
    temporal: TEMPORAL_WORDS.test(prompt),
    multiConcept: JOINTS.test(prompt.replace(/[.,;\s]+$/, '')),
  };
}
