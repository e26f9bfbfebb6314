import { expect, test } from 'vitest';
import * as errors from '../../common/errors';
import { helpFor, toFailure } from './failure';

test('every error of the studio keeps its code and has a title and a way out', () => {
  for (const [name, ErrorClass] of Object.entries(errors)) {
    if (name === 'StudioError') continue;
    const failure = toFailure(Reflect.construct(ErrorClass, ['What came.']));
    expect(failure.message).toBe('What came.');
    expect(helpFor(failure.code).title, name).not.toBe('');
    expect(helpFor(failure.code).whatToDo, name).not.toBe('');
  }
});

test('an abort is a cancellation, anything else unknown is internal', () => {
  expect(toFailure(new DOMException('Stop.', 'AbortError'))).toEqual({ code: 'cancelled', message: 'Stop.' });
  expect(toFailure(new TypeError('x is not a function')).code).toBe('internal');
  expect(toFailure(Object.assign(new Error('odd'), { code: 'EACCES' })).code).toBe('internal');
  expect(toFailure('a string')).toEqual({ code: 'internal', message: 'a string' });
});
