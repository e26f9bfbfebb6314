import { type Concept, type ConceptForm, findConcept } from './vocabulary';

/** An event of a caption: the words that say it, and the adverbs after it, which are not the event. */
export interface CaptionEvent {
  readonly text: string;
  readonly tail: string;
  readonly concept: Concept | null;
  readonly form: ConceptForm;
}

/** lead + events[0] + joints[0] + events[1] + … + end. */
export interface SplitCaption {
  readonly lead: string;
  readonly events: readonly CaptionEvent[];
  readonly joints: readonly string[];
  readonly end: string;
}

/** Longest first: "and then" is one joint, not "and" with an event that begins with "then". */
const JOINT_WORDS = [
  'and a moment later',
  'and after that',
  'and afterwards',
  'and then',
  'and finally',
  'followed by',
  'is followed by',
  'together with',
  'mixed with',
  'preceded by',
  'right after',
  'after that',
  'afterwards',
  'finally',
  'later',
  'then',
  'before',
  'after',
  'until',
  'once',
  'while',
  'as',
  'amid',
  'during',
  'over',
  'with',
  'and',
];
const JOINT = new RegExp(`(\\s*[,;]?\\s+(?:${JOINT_WORDS.join('|')})\\s+|\\s*[,;]\\s+)`, 'i');
const LEAD =
  /^(?:(?:first|after|before|while|as|once|only|the sounds? of|sounds? of|a recording of|there is|there are|we hear)\s+)/i;
const TAIL =
  /(?:\s+(?:in the (?:background|distance)|at the same time|can be heard|several times|for a while|in a room|loudly|nearby|softly|quietly|outside|repeatedly|continuously|afterwards|together|briefly|on and off))+$/i;

/** Words whose "and" joins no events; a space that no joint matches holds them together. */
const HELD = /\b(?:on and off|up and down|back and forth|over and over|again and again)\b/gi;
const HOLD = '\u2060';

export function splitCaption(caption: string): SplitCaption {
  const held = caption.trim().replace(HELD, (words) => words.replaceAll(' ', HOLD));
  const [, body = '', end = ''] = /^(.*?)([\s.!?]*)$/s.exec(held) ?? [];
  const lead = LEAD.exec(body)?.[0] ?? '';
  const parts = body.slice(lead.length).split(JOINT);
  const events = parts.filter((_, i) => i % 2 === 0).map((part) => readEvent(part.replaceAll(HOLD, ' ')));
  const joints = parts.filter((_, i) => i % 2 === 1);
  return { lead, events, joints, end };
}

export function joinCaption({ lead, events, joints, end }: SplitCaption): string {
  const body = events.map(({ text, tail }, i) => `${text}${tail}${joints[i] ?? ''}`).join('');
  return `${lead}${body}${end}`;
}

function readEvent(part: string): CaptionEvent {
  const tail = TAIL.exec(part)?.[0] ?? '';
  const text = part.slice(0, part.length - tail.length);
  return { text, tail, concept: findConcept(text), form: formOf(text) };
}

/** "a dog barking" is a gerund, "a dog barks" and "a saw is cutting" clauses, "a dog bark" and "a dripping tap" nouns. */
function formOf(text: string): ConceptForm {
  const words = text.toLowerCase().split(/\s+/);
  const isArticle = /^(?:a|an|the)$/.test(words[0]!);
  const isVerb = (word: string, i: number): boolean =>
    /^(?:is|are)$/.test(word) || (i > (isArticle ? 1 : 0) && /[a-z](?<!s)s$/.test(word) && word.length > 3);
  const isGerund = (word: string, i: number): boolean =>
    i > 0 && /[a-z]{2,}ing$/.test(word) && !(isArticle && i === 1 && words.length > 2);
  // "race cars racing by": what ends in s before the gerund is its subject.
  const gerund = words.findLastIndex(isGerund);
  const verb = words.findLastIndex(isVerb);
  if (gerund > verb && !/^(?:is|are)$/.test(words[gerund - 1] ?? '')) return 'gerund';
  const subjectIsPlural = /^(?:[a-z]+s|people|children|sheep)$/.test(words[0]!);
  return verb > 0 || gerund > 0 || (subjectIsPlural && words.length > 1) ? 'clause' : 'noun';
}
