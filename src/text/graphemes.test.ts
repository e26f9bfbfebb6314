import { describe, expect, it } from 'vitest';
import { graphemes } from './graphemes';

describe('graphemes', () => {
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

  it.each([
    ['nothing', ''],
    ['skin tones across slice ends', `x${'👍🏽'.repeat(600)}`],
    ['flags, which pair from the left', `ab${'🇩🇪🇫🇷'.repeat(300)}`],
    ['joined families', `a${'👨‍👩‍👧‍👦e\u0301'.repeat(200)}`],
    ['one cluster longer than a slice', `a${'\u0301'.repeat(1500)}b`],
    ['line ends', '\r\n'.repeat(900)],
  ])('equals the segmenter run on the whole text: %s', (_name, text) => {
    expect([...graphemes(text)]).toEqual(Array.from(segmenter.segment(text), ({ segment }) => segment));
  });
});
