import { expect, test } from 'vitest';
import { humanLine } from '../../../src/supervisor/log.ts';

test('a line for people has no control sequences', () => {
  const json = JSON.stringify({
    level: 50,
    time: 0,
    key: 'container/a/\u001b[2Jb',
    stack: 'Error: \u001b]52;c;x\u0007\n    at here',
    msg: 'probe: \u001b]0;title\u0007\nfake line',
  });
  const line = humanLine(json);
  expect(line).toMatchInlineSnapshot(`
    "00:00:00.000 error probe:  ]0;title fake line key=container/a/ [2Jb stack=Error:  ]52;c;x 
        at here
    "
  `);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  expect(line).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});
