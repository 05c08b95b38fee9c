import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { DetachFilter, detachKeysArgument } from '../../../src/cli/terminal/detach-keys.ts';
import { useTerminal } from '../../support/api/terminal.ts';

const { served, screen } = useTerminal();

describe('detach keys', () => {
  test.each([
    ['ctrl-p,ctrl-q', [16, 17]],
    ['ctrl-@,ctrl-[,ctrl-_', [0, 27, 31]],
    ['CTRL-A,d,,', null],
    ['a,ctrl-aa', null],
    ['ctrl-c', [3]],
    ['', []],
  ])('%j', (keys, bytes) => {
    if (bytes === null) expect(() => detachKeysArgument(keys)).toThrow(/commas between/);
    else expect([...detachKeysArgument(keys)]).toEqual(bytes);
  });

  /** What passes of input that arrives in these pieces, and whether it detached. */
  async function passed(keys: string, pieces: readonly string[]): Promise<[string, boolean]> {
    const filter = new DetachFilter(Buffer.from(keys));
    let detached = false;
    void filter.detached().then(() => {
      detached = true;
    });
    for (const piece of pieces) filter.write(piece);
    filter.end();
    const bytes = await buffer(filter);
    return [bytes.toString(), detached];
  }

  test.each([
    ['pq', ['ab', 'pq', 'cd'], 'ab', true],
    ['pq', ['ap', 'q'], 'a', true],
    ['pq', ['p', 'p', 'q', 'z'], 'p', true],
    ['pq', ['p', 'a', 'q'], 'paq', false],
    ['pq', ['ap'], 'ap', false],
    ['aab', ['a', 'a', 'a', 'b'], 'a', true],
    ['q', ['abq'], 'ab', true],
    ['', ['pq'], 'pq', false],
  ])('%j in %j', async (keys, pieces, passes, detaches) => {
    expect(await passed(keys, pieces)).toEqual([passes, detaches]);
  });
});

test('the exit code is that of the container', async () => {
  served().supervisor.payload = { argv: ['exit', '7'], tty: false, stdin: false };
  expect(await screen(['attach', 'web'])).toMatchInlineSnapshot(`
    "--- stderr
    leaving with 7
    --- exit 7"
  `);
});

test("the end of our input is not the end of the container's input", async () => {
  served().supervisor.payload = { argv: ['size'], tty: false, stdin: true };
  const outcome = screen(['attach', 'web'], { input: 'x' });
  const { sessions } = served().supervisor;
  while (sessions[0]?.stdin?.readableDidRead !== true) await new Promise((resolve) => setImmediate(resolve));
  const [session] = sessions;
  expect(session?.stdin?.writableEnded).toBe(false);
  session?.stdin?.write('q');
  expect(await outcome).toMatch(/exit 0$/);
});

test('keys for a terminal come from a terminal', async () => {
  served().supervisor.payload = { argv: ['hold'], tty: true, stdin: true };
  expect(await screen(['attach', 'web'])).toMatchInlineSnapshot(`
    "--- stderr
    error: the input device is not a TTY
    hint: The container has a terminal; use --no-stdin to see what it writes.
    --- exit 125"
  `);
  expect(await screen(['attach', '--detach-keys', 'ctrl-', 'web'])).toContain('exit 64');
  expect(await screen(['attach', 'none'])).toContain('exit 125');
});
