import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InvalidInputError, JobCancelledError, NetworkError } from '../../common/errors';
import { askForWrongCaptions, captionsIn, questionFor } from './ask-language-model';

const CAPTION = 'a dog barks and then a bell rings';
const FIVE = ['a cat meows', 'a dog growls', 'a bell rings', 'a horn honks', 'a dog barks twice'];

interface Asked {
  readonly path: string;
  readonly key: string | undefined;
  readonly body: { model: string; messages: { content: string }[] };
}

let server: Server;
let asked: Asked[];
/** One for each request; the last one answers all that follow. */
let answers: ((response: ServerResponse) => void)[];
let endpoint: { baseUrl: string; apiKey: string; model: string };

beforeEach(async () => {
  asked = [];
  answers = [completion(JSON.stringify(FIVE))];
  server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      asked.push({ path: request.url ?? '', key: request.headers.authorization, body: JSON.parse(body) });
      (answers.length > 1 ? answers.shift()! : answers[0]!)(response);
    });
  });
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  const { port } = server.address() as AddressInfo;
  endpoint = { baseUrl: `http://127.0.0.1:${port}/v1/`, apiKey: 'secret', model: 'small' };
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += part;
  return text;
}

function completion(content: string): (response: ServerResponse) => void {
  return send(
    200,
    'application/json',
    JSON.stringify({ choices: [{ message: { role: 'assistant', content } }] }),
  );
}

function send(status: number, type: string, text: string, headers = {}): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { 'content-type': type, ...headers }).end(text);
  };
}

describe('askForWrongCaptions', () => {
  it('asks with caption, requirements and key, and takes a JSON array', async () => {
    expect(await askForWrongCaptions(endpoint, CAPTION, 'temporal')).toEqual(FIVE);
    expect(asked).toHaveLength(1);
    const [{ path, key, body }] = asked as [Asked];
    expect([path, key, body.model]).toEqual(['/v1/chat/completions', 'Bearer secret', 'small']);
    expect(body.messages[0]!.content).toBe(questionFor(CAPTION, 'temporal', 5));
    expect(body.messages[0]!.content).toContain(JSON.stringify(CAPTION));
  });

  it('leaves out repetitions, the caption itself and what is no text, and asks for the rest once more', async () => {
    answers = [
      completion(JSON.stringify([FIVE[0], FIVE[0], `${CAPTION}.`, 7, ''])),
      completion(JSON.stringify(FIVE)),
    ];
    expect(await askForWrongCaptions(endpoint, CAPTION, 'perturbed')).toEqual(FIVE);
    expect(asked).toHaveLength(2);
  });

  it('gives fewer where a model gives no more', async () => {
    answers = [completion('["a cat meows", "a horn honks"]')];
    expect(await askForWrongCaptions(endpoint, CAPTION, 'perturbed')).toEqual([
      'a cat meows',
      'a horn honks',
    ]);
    expect(asked).toHaveLength(2);
  });

  it('takes no more than were asked for', async () => {
    expect(await askForWrongCaptions(endpoint, CAPTION, 'perturbed', { count: 2 })).toEqual(FIVE.slice(0, 2));
  });

  it.each([
    [
      'a refused key',
      send(401, 'application/json', '{"error":{"message":"no"}}'),
      InvalidInputError,
      'refused the key (401)',
    ],
    [
      'an unknown model',
      send(404, 'application/json', '{"error":{"message":"no"}}'),
      InvalidInputError,
      'no model "small"',
    ],
    [
      'a web page',
      send(200, 'text/html', '<html><body>Sign in</body></html>'),
      NetworkError,
      'answered "<html>',
    ],
    [
      'JSON of another kind',
      send(200, 'application/json', '{"ok":true}'),
      NetworkError,
      'answered "{"ok":true}"',
    ],
    ['null', send(200, 'application/json', 'null'), NetworkError, 'JSON array of captions'],
    ['half of a JSON', send(200, 'application/json', '{"choices": [{"mess'), NetworkError, 'no whole JSON'],
    ['prose', completion('I cannot do that.'), NetworkError, 'answered "I cannot do that."'],
    ['an empty list', completion('[]'), NetworkError, 'answered "[]"'],
    [
      'a bad request',
      send(400, 'application/json', '{"error":{"message":"too long"}}'),
      NetworkError,
      'answered 400',
    ],
  ])('%s is said', async (_, answer, type, message) => {
    answers = [answer];
    const failing = askForWrongCaptions(endpoint, CAPTION, 'perturbed');
    await expect(failing).rejects.toThrow(type as never);
    await expect(failing).rejects.toThrow(message as string);
  });

  it('tries again where the server asks for patience', async () => {
    answers = [send(429, 'application/json', '{}', { 'retry-after': '0' }), completion(JSON.stringify(FIVE))];
    expect(await askForWrongCaptions(endpoint, CAPTION, 'perturbed')).toEqual(FIVE);
  });

  it.each([
    ['says nothing', () => {}],
    [
      'never ends its answer',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        const timer = setInterval(() => response.write(' '.repeat(1000)), 5);
        response.on('close', () => clearInterval(timer));
      },
    ],
  ])('a server that %s is cut off', async (_, answer) => {
    answers = [answer];
    const failing = askForWrongCaptions(endpoint, CAPTION, 'perturbed', { timeoutMs: 300 });
    await expect(failing).rejects.toThrow(NetworkError);
    await expect(failing).rejects.toThrow('no whole answer within 0.3 s');
  });

  it('is cancelled', async () => {
    answers = [() => {}];
    const stop = new AbortController();
    setTimeout(() => stop.abort(new JobCancelledError('The job was cancelled.')), 50);
    const failing = askForWrongCaptions(endpoint, CAPTION, 'perturbed', { signal: stop.signal });
    await expect(failing).rejects.toThrow(JobCancelledError);
  });

  it('says that nobody listens', async () => {
    const nobody = { ...endpoint, baseUrl: 'http://127.0.0.1:9/v1' };
    await expect(askForWrongCaptions(nobody, CAPTION, 'perturbed')).rejects.toThrow('cannot be reached');
  }, 20_000);

  it.each(['', 'example.org/v1', 'http://example.org/v1', 'javascript:alert(1)'])(
    'refuses the address "%s"',
    async (baseUrl) => {
      await expect(askForWrongCaptions({ ...endpoint, baseUrl }, CAPTION, 'perturbed')).rejects.toThrow(
        'begins with https://',
      );
      expect(asked).toHaveLength(0);
    },
  );
});

describe('captionsIn', () => {
  it.each([
    ['["a", "b"]', ['a', 'b']],
    ['Here you are:\n```json\n["a", "b"]\n```', ['a', 'b']],
    ['1. a\n2) b\n\nEnjoy!', ['a', 'b']],
    ['- "a"\n* “b”', ['a', 'b']],
    ['[not json]\n1. a', ['a']],
    ['', []],
  ])('%j', (answer, captions) => {
    expect(captionsIn(answer)).toEqual(captions);
  });
});
