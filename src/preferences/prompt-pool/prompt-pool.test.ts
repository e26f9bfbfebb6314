import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { collectPrompts } from './collect-prompts';
import { parsePromptFile } from './parse-prompts';
import { tagPrompt } from './tags';

const read = (name: string, text: BlobPart, column?: string) =>
  parsePromptFile(name, new Blob([text]), column ? { column } : {});

describe('Captions from a file', () => {
  it('text: one a line', async () => {
    expect((await read('a.txt', '\ufeffa dog barks\r\n\r\nrain falls\n')).prompts).toEqual([
      'a dog barks',
      'rain falls',
    ]);
  });

  it('CSV: the caption’s column, with quotes, commas and line breaks', async () => {
    const csv = 'id,caption\n1,"a dog barks, then stops"\n2,"rain\nfalls"\n3,"=SUM(A1)"\n';
    expect((await read('a.csv', csv)).prompts).toEqual(['a dog barks, then stops', 'rain falls', '=SUM(A1)']);
    expect((await read('a.csv', 'a;b\n1;rain', 'b')).prompts).toEqual(['rain']);
    expect((await read('a.csv', 'a dog barks\nrain falls\n')).prompts).toEqual(['a dog barks', 'rain falls']);
    await expect(read('a.csv', 'id,name\n1,x')).rejects.toThrow(
      /columns "id", "name".*none of prompt, caption/,
    );
    await expect(read('a.csv', 'prompt\n"open')).rejects.toThrow(/[Qq]uote/);
  });

  it('JSON lines and JSON lists: a field, or the strings themselves', async () => {
    expect((await read('a.jsonl', '{"prompt":"a dog"}\n\n{"prompt":"rain"}\n')).prompts).toEqual([
      'a dog',
      'rain',
    ]);
    expect((await read('a.json', '["a dog", "rain"]')).prompts).toEqual(['a dog', 'rain']);
    expect((await read('a.jsonl', '{"prompt":"a dog"}\n{"prompt":7}')).rejected).toEqual([
      { row: 2, reason: 'not-text', text: '7' },
    ]);
    await expect(read('a.jsonl', '{"prompt":"a dog"}\n{oops')).rejects.toThrow(/line 2, is not JSON/);
  });

  it('parquet: the caption’s column only', async () => {
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: 'n', data: [1, 2], type: 'INT32' },
        { name: 'caption', data: ['a dog', 'rain'], type: 'STRING' },
      ],
    });
    expect((await read('a.parquet', bytes)).prompts).toEqual(['a dog', 'rain']);
    await expect(read('a.parquet', bytes, 'x')).rejects.toThrow(/"n", "caption".*"x" was asked for/);
  });

  it('refuses damaged parquet in words', async () => {
    const good = new Uint8Array(
      parquetWriteBuffer({ columnData: [{ name: 'prompt', data: ['a dog'], type: 'STRING' }] }),
    );
    await expect(read('a.parquet', 'PAR1')).rejects.toThrow(/does not end in PAR1/);
    await expect(read('a.parquet', good.slice(0, -3))).rejects.toThrow(/cut short/);
    const bigFooter = good.slice();
    new DataView(bigFooter.buffer).setUint32(good.length - 8, 0xffffffff, true);
    await expect(read('a.parquet', bigFooter)).rejects.toThrow(/claims 4294967295 bytes/);
    const empty = parquetWriteBuffer({ columnData: [{ name: 'prompt', data: [], type: 'STRING' }] });
    await expect(read('a.parquet', empty)).rejects.toThrow(/0 rows/);
    // Every byte of the file broken in turn gives the captions or a sentence, never a hang or a bare TypeError.
    for (let i = 4; i < good.length - 8; i += 1) {
      const broken = good.slice();
      broken[i]! ^= 0xff;
      const answer = await read('a.parquet', broken).catch((error: unknown) => error);
      if (answer instanceof Error) expect(answer).toMatchObject({ code: 'invalid-input' });
    }
  });

  it('takes 100,000 lines in a moment, and refuses one of a megabyte', async () => {
    const lines = Array.from({ length: 100_001 }, (_, i) => `sound number ${i}`).join('\n');
    const pool = await read('a.txt', lines);
    expect(pool.prompts).toHaveLength(100_000);
    expect(pool.rejected).toEqual([{ row: 100_001, reason: 'over-the-limit', text: 'sound number 100000' }]);
    await expect(read('a.txt', 'x'.repeat(2 ** 20))).rejects.toThrow(/row 1 is too long/);
    await expect(read('a.txt', ' \n ')).rejects.toThrow(/empty/);
    await expect(read('a.txt', 'a\0b')).rejects.toThrow(/not text/);
  });
});

describe('The pool', () => {
  it('leaves out what is there already, however it is written', () => {
    const { prompts, rejected } = collectPrompts(
      ['A dog barks.', 'a  dog barks', 'Rain', null, '\ud800x'],
      ['rain!'],
    );
    expect(prompts).toEqual(['A dog barks.', '\ufffdx']);
    expect(rejected.map(({ reason }) => reason)).toEqual(['duplicate', 'duplicate', 'empty']);
  });

  it('tags prompts by the paper’s words', () => {
    const tags = (prompt: string) => Object.values(tagPrompt(prompt));
    expect(tags('a dog barks then a bell rings')).toEqual([true, true, true]);
    expect(tags('a dog barks while a bell rings')).toEqual([false, true, true]);
    expect(tags('a dog and a bell')).toEqual([false, false, true]);
    expect(tags('a dog barks.')).toEqual([false, false, false]);
    expect(tags('in the afternoon a cat is asleep')).toEqual([false, false, false]);
  });
});
