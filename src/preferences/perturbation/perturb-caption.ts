import { promptKey } from '../../common/prompt-key';
import { TorchGenerator } from '../../common/random';
import { type CaptionEvent, joinCaption, type SplitCaption, splitCaption } from './split-caption';
import { type Concept, type ConceptForm, sayConcept, VOCABULARY } from './vocabulary';

/** A change of a caption; it returns null where it does not apply. */
type Rule = (caption: SplitCaption, random: Random) => SplitCaption | null;

interface Random {
  /** 0 … count − 1 */
  below(count: number): number;
}

/**
 * Wrong captions for strategy 2: near to the original, wrong in a part, never unrelated to it, of about its length.
 * One event becomes a kindred one, is dropped, or a new one is added. Works offline, and for captions of unknown words
 * as far as their joints tell the events apart.
 *
 * @returns at most `count` captions, each different from the others and from the original
 */
export function perturbCaption(caption: string, count: number, seed: number): readonly string[] {
  const { length } = splitCaption(caption).events;
  const replaceEach = Array.from({ length }, (_, i) => replaceEvent(i, true));
  const replaceFar = Array.from({ length }, (_, i) => replaceEvent(i, false));
  const rules: Rule[] =
    length > 1
      ? [...replaceEach, replaceAll, dropEvent, ...replaceEach, ...replaceFar, addEvent('while')]
      : [...replaceEach, addEvent('while'), ...replaceEach, addEvent('then'), ...replaceEach];
  return apply(caption, rules, count, seed);
}

/**
 * Wrong captions for strategy 3: the events in another order, at once instead of in turn, with one event more or less.
 */
export function perturbOrder(caption: string, count: number, seed: number): readonly string[] {
  const { length } = splitCaption(caption).events;
  if (length < 2) return apply(caption, [addEvent('then'), addEvent('before')], count, seed);
  return apply(
    caption,
    [
      reverse,
      makeSimultaneous,
      insertBetween,
      dropEvent,
      reverseAndReplace,
      addEvent('before'),
      addEvent('then'),
    ],
    count,
    seed,
  );
}

function apply(caption: string, rules: readonly Rule[], count: number, seed: number): readonly string[] {
  const generator = new TorchGenerator(seed);
  const random: Random = { below: (bound) => generator.randint(0, bound, 1)[0]! };
  const split = splitCaption(caption);
  const found = new Map<string, string>();
  const original = promptKey(caption);
  // Rules draw from the vocabulary: a second round of the same rule says something else.
  for (let round = 0; round < 6 && found.size < count; round += 1) {
    for (const rule of rules) {
      const changed = rule(split, random);
      if (!changed || found.size >= count) continue;
      const text = restyle(caption, joinCaption(changed));
      const key = promptKey(text);
      if (key !== original && !found.has(key)) found.set(key, text);
    }
  }
  return [...found.values()];
}

const replaceEvent =
  (index: number, kindred: boolean): Rule =>
  (caption, random) => {
    const event = caption.events[index];
    if (!event) return null;
    const other = drawConcept(caption, random, kindred ? event.concept : null);
    return withEvents(caption, caption.events.with(index, say(other, event.form, event.tail)));
  };

/** Every event becomes a kindred one: "People cheering and race cars racing by" → "A crowd applauding and trains passing". */
const replaceAll: Rule = (caption, random) => {
  if (!caption.events.every(({ concept }) => concept)) return null;
  let changed = caption;
  for (const [index, event] of caption.events.entries()) {
    const other = drawConcept(changed, random, event.concept);
    changed = withEvents(changed, changed.events.with(index, say(other, event.form, event.tail)));
  }
  return changed;
};

const dropEvent: Rule = ({ events, joints, end }, random) => {
  if (events.length < 2) return null;
  const at = random.below(events.length);
  // A lead ("after", "first") belongs to the order that is no longer told.
  return {
    lead: '',
    events: events.toSpliced(at, 1),
    joints: joints.toSpliced(Math.max(at - 1, 0), 1),
    end,
  };
};

const addEvent =
  (joint: 'while' | 'then' | 'before'): Rule =>
  (caption, random) => {
    const { events, joints } = caption;
    const form = events[0]!.form;
    const other = say(drawConcept(caption, random, null), form, '');
    if (joint === 'before') {
      return caption.lead === ''
        ? { ...caption, events: [other, ...events], joints: [' and then ', ...joints] }
        : null;
    }
    const words = joint === 'then' ? ' and then ' : form === 'noun' ? ' and ' : ' while ';
    return { ...caption, events: [...events, other], joints: [...joints, words] };
  };

const insertBetween: Rule = (caption, random) => {
  const { events, joints } = caption;
  const other = say(drawConcept(caption, random, null), events[1]!.form, '');
  return { ...caption, events: events.toSpliced(1, 0, other), joints: joints.toSpliced(1, 0, ', then ') };
};

/** Events change places, each in the form of its new place; joints stay: "A then B" becomes "B then A". */
const reverse: Rule = (caption) => {
  const { events, joints } = caption;
  const reversed = events.map((place, i) => {
    const event = events[events.length - 1 - i]!;
    return event.concept && event.form !== place.form ? say(event.concept, place.form, event.tail) : event;
  });
  const fits = reversed.every(({ form }, i) => form === events[i]!.form);
  return { ...caption, events: reversed, joints: fits ? joints : joints.map(() => ' and then ') };
};

const SEQUENCE_JOINT = /then|before|after|followed|later|finally|until|once|preceded/i;

const makeSimultaneous: Rule = (caption) => {
  const { events, joints } = caption;
  const lead = SEQUENCE_JOINT.test(caption.lead) || /^first/i.test(caption.lead) ? '' : caption.lead;
  if (lead === caption.lead && !joints.some((joint) => SEQUENCE_JOINT.test(joint))) return null;
  const nouns = events.some(({ form }) => form === 'noun');
  return {
    ...caption,
    lead,
    joints: joints.map((_, i) => (nouns ? ' together with ' : i === 0 ? ' while ' : ' and ')),
  };
};

const reverseAndReplace: Rule = (caption, random) => {
  const reversed = reverse(caption, random);
  return reversed && replaceEvent(random.below(reversed.events.length), true)(reversed, random);
};

/** A concept that the caption does not have, of the family of `like` when there is one. */
function drawConcept(caption: SplitCaption, random: Random, like: Concept | null): Concept {
  const taken = new Set(caption.events.map(({ concept }) => concept?.name));
  const free = VOCABULARY.filter(({ name }) => !taken.has(name));
  const kin = free.filter(({ family }) => family === like?.family);
  const choice = kin.length > 0 ? kin : free;
  return choice[random.below(choice.length)]!;
}

function say(concept: Concept, form: ConceptForm, tail: string): CaptionEvent {
  return { text: sayConcept(concept, form), tail, concept, form };
}

function withEvents(caption: SplitCaption, events: readonly CaptionEvent[]): SplitCaption {
  return { ...caption, events };
}

/** The original's capitals: the first letter, or all of them; elsewhere the small letters of running text. */
function restyle(original: string, changed: string): string {
  if (original === original.toUpperCase()) return changed.toUpperCase();
  const capital = /^\s*\p{Lu}/u.test(original);
  const moved = original.trimStart().slice(0, 2);
  // What stood first had a capital; elsewhere it has none, unless it is "I" or a name in capitals.
  const lowered = capital && /^\p{Lu}[\p{Ll}\s]/u.test(moved) ? lowerMoved(original, changed) : changed;
  return capital ? lowered.replace(/\p{L}/u, (letter) => letter.toUpperCase()) : lowered;
}

function lowerMoved(original: string, changed: string): string {
  const first = /^\s*(\S+)/.exec(original)?.[1] ?? '';
  return changed
    .split(' ')
    .map((word) => (word === first ? word.charAt(0).toLowerCase() + word.slice(1) : word))
    .join(' ');
}
