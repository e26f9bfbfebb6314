import { describe, expect, it } from 'vitest';
import { promptKey } from '../../common/prompt-key';
import { perturbCaption, perturbOrder } from './perturb-caption';
import { joinCaption, splitCaption } from './split-caption';
import { findConcept, sayConcept, VOCABULARY } from './vocabulary';

const CAPTIONS = [
  'A dog barks',
  'the sound of a crackling fire',
  'People cheering and race cars racing by.',
  'A man is speaking then a sewing machine briefly turns on and off.',
  'barking followed by a telephone ringing',
  'after rain falls, a bell rings',
  'First birds chirp, then an engine runs',
  'WIND BLOWS WHILE A WOMAN SPEAKS',
  'a dog barks, then a cat meows, and then thunder rumbles',
  'A zorp zings and then a quux quacks',
  'Food sizzling in a pan followed by plastic crinkling',
];
const wordsOf = (text: string) => new Set(promptKey(text).match(/[a-z]+/g));

describe('The vocabulary', () => {
  it('finds each of its concepts in its own words, in every form', () => {
    for (const concept of VOCABULARY) {
      for (const form of ['clause', 'gerund', 'noun'] as const) {
        expect(findConcept(sayConcept(concept, form))?.name, sayConcept(concept, form)).toBe(concept.name);
      }
    }
  });

  it('has kin for each, so that a wrong caption can be near to the right one', () => {
    for (const { family } of VOCABULARY) {
      expect(VOCABULARY.filter((one) => one.family === family).length).toBeGreaterThan(2);
    }
  });
});

describe('Splitting a caption', () => {
  it('loses nothing', () => {
    for (const caption of CAPTIONS) expect(joinCaption(splitCaption(caption))).toBe(caption);
  });

  it('tells events from joints, tails and leads', () => {
    const split = splitCaption('First a dog barks loudly, then a sewing machine turns on and off.');
    expect(split.lead).toBe('First ');
    expect(split.events.map(({ text, form, tail }) => [text, form, tail])).toEqual([
      ['a dog barks', 'clause', ' loudly'],
      ['a sewing machine turns', 'clause', ' on and off'],
    ]);
    expect(splitCaption('birdsong and a dripping tap').events.map(({ form }) => form)).toEqual([
      'noun',
      'noun',
    ]);
  });
});

describe.each([
  ['perturbCaption', perturbCaption],
  ['perturbOrder', perturbOrder],
])('%s', (_, perturb) => {
  it.each(CAPTIONS)('makes five wrong captions of “%s”', (caption) => {
    const made = perturb(caption, 5, 7);
    expect(made).toHaveLength(5);
    expect(new Set([caption, ...made].map(promptKey)).size).toBe(6);
    for (const text of made) {
      expect(text.length).toBeLessThan(2.8 * caption.length + 20);
      if (/^[A-Z]/.test(caption)) expect(text).toMatch(/^[A-Z]/);
      expect(text).not.toMatch(/\s\s|undefined|\u2060/);
    }
  });

  it('says the same for the same seed, and something else for another', () => {
    expect(perturb(CAPTIONS[2]!, 5, 1)).toEqual(perturb(CAPTIONS[2]!, 5, 1));
    expect(perturb(CAPTIONS[2]!, 5, 1)).not.toEqual(perturb(CAPTIONS[2]!, 5, 2));
  });
});

describe('The rules', () => {
  it('keep a part of a caption with several events in most wrong captions', () => {
    for (const caption of CAPTIONS.slice(2)) {
      const own = wordsOf(caption);
      const kept = perturbCaption(caption, 5, 3).filter((text) =>
        [...wordsOf(text)].some((word) => own.has(word)),
      );
      expect(kept.length).toBeGreaterThanOrEqual(4);
    }
  });

  it('turn the order round with each joint', () => {
    expect(perturbOrder('a dog barks and then a bell rings', 1, 0)).toEqual([
      'a bell rings and then a dog barks',
    ]);
    expect(perturbOrder('after rain falls, a bell rings', 1, 0)).toEqual(['after a bell rings, rain falls']);
    // "barking" stands where a clause has to, and the other way round: each takes the form of its new place.
    expect(perturbOrder('a dog barks followed by birdsong', 1, 0)).toEqual([
      'birds chirp followed by a dog bark',
    ]);
  });

  it('make one after the other both at once, and put an event between', () => {
    const made = perturbOrder('a dog barks and then a bell rings', 5, 0);
    expect(made).toContain('a dog barks while a bell rings');
    expect(made.some((text) => /^a dog barks and then .+, then a bell rings$/.test(text))).toBe(true);
  });
});
