import { expect, test } from 'vitest';
import { doubtsAbout, type PathComponent, refusalOf, type Trusted } from '../../../src/model/trust.ts';

const NOBODY = 65_534;
const ADMINS = 994;

/** `drwxrwxr-x 1000:1000 /home/u/app`, with `2` before it for further names and `+` behind the mode for an access list. */
function component(text: string): PathComponent {
  const [, names = '1', type = '', bits = '', plus = '', uid = '', gid = '', path = ''] =
    /^(?:(\d+) )?([-dlp])([rwxtTsS-]{9})(\+?) (\d+):(\d+) (.*)$/.exec(text) ?? [];
  const sticky = /[tT]$/.test(bits) ? 0o1000 : 0;
  const mode = [...bits].reduce((sum, letter) => sum * 2 + (letter === '-' || letter === 'T' ? 0 : 1), 0) + sticky;
  const kind = ({ '-': 'file', d: 'directory', l: 'link', p: 'other' } as const)[type] ?? 'other';
  return { path, kind, uid: Number(uid), gid: Number(gid), mode, names: Number(names), acl: plus === '+' };
}

const ROOT = 'drwxr-xr-x 0:0 /';
const TMP = 'drwxrwxrwt 0:0 /tmp';
const OWN: Trusted = { users: [0], groups: [0, ADMINS] };
const CALLER: Trusted = { users: [0, 1000], groups: [0] };
const ANYBODY: Trusted = { users: null, groups: [0] };

const TABLE: readonly (readonly [
  name: string,
  trusted: Trusted,
  path: readonly string[],
  doubts: readonly string[],
])[] = [
  ['a plain one', OWN, [ROOT, 'drwxr-xr-x 0:0 /etc', '-rw-r--r-- 0:0 /etc/a'], []],
  ['of another user', OWN, [ROOT, `-rw-r--r-- ${NOBODY}:0 /a`], ['owner: chown root /a']],
  [
    'in a directory of another user',
    OWN,
    [ROOT, 'drwxr-xr-x 1000:0 /d', '-rw------- 0:0 /d/a'],
    ['owner: chown root /d'],
  ],
  ['writable by everybody', OWN, [ROOT, '-rw-r--rw- 0:0 /a'], ['everybody: chmod o-w /a']],
  [
    'in a directory writable by everybody',
    OWN,
    [ROOT, 'drwxrwxrwx 0:0 /d', '-rw-r--r-- 0:0 /d/a'],
    ['everybody: chmod o-w /d'],
  ],
  ['writable by all and a strange group', OWN, [ROOT, 'drwxrwxrwx 0:7 /d'], ['everybody: chmod go-w /d']],
  ['of root in a sticky directory', OWN, [ROOT, TMP, '-rw-r--r-- 0:0 /tmp/a'], []],
  [
    'of another user in a sticky directory',
    OWN,
    [ROOT, TMP, `-rw-r--r-- ${NOBODY}:0 /tmp/a`],
    ['owner: chown root /tmp/a'],
  ],
  [
    'a link of another user in a sticky directory',
    OWN,
    [ROOT, TMP, `lrwxrwxrwx ${NOBODY}:0 /tmp/l`, '-rw-r--r-- 0:0 /a'],
    ['owner: chown -h root /tmp/l'],
  ],
  ['a fresh directory below a sticky one', OWN, [ROOT, TMP, 'drwx------ 0:0 /tmp/x', '-rw-r--r-- 0:0 /tmp/x/a'], []],
  ['a sticky file', OWN, [ROOT, '-rw-r--rwt 0:0 /a'], ['everybody: chmod o-w /a']],
  ['a link, whose mode means nothing', OWN, [ROOT, 'lrwxrwxrwx 0:7 /l', '-rw-r--r-- 0:0 /a'], []],
  ["writable by root's group", OWN, [ROOT, 'drwxrwxr-x 0:0 /d', '-rw-rw-r-- 0:0 /d/a'], []],
  ["writable by the socket's group", OWN, [ROOT, `drwxrwsr-x 0:${ADMINS} /d`, `-rw-rw-r-- 0:${ADMINS} /d/a`], []],
  ['writable by another group', OWN, [ROOT, 'drwxrwxr-x 0:50 /d', '-rw-r--r-- 0:0 /d/a'], ['group: chmod g-w /d']],
  ['writable by another group, and sticky', OWN, [ROOT, 'drwxrwxr-t 0:50 /d', '-rw-r--r-- 0:0 /d/a'], []],
  ['with an access list', OWN, [ROOT, '-rw-rw-r--+ 0:0 /a'], ['acl: setfacl -b /a && chmod g-w /a']],
  ['with an access list that its mask ends', OWN, [ROOT, '-rw-r--r--+ 0:0 /a'], []],
  ['with two names', OWN, [ROOT, 'drwxr-xr-x 0:0 /d', '2 -rw-r--r-- 0:0 /d/a'], []],
  [
    'with two names in a sticky directory',
    OWN,
    [ROOT, TMP, '2 -rw-r--r-- 0:0 /tmp/a'],
    ['names: cp -p /tmp/a /tmp/a.copy && mv /tmp/a.copy /tmp/a'],
  ],
  ['a name to be quoted', OWN, [ROOT, "drwxrwxrwx 0:0 /it's"], ["everybody: chmod o-w '/it'\\''s'"]],
  ['the root itself', OWN, ['drwxrwxrwx 0:0 /', '-rw-r--r-- 0:0 /a'], ['everybody: chmod o-w /']],
  [
    'more than one thing',
    OWN,
    [ROOT, 'drwxrwxrwx 0:0 /d', `-rw-r--r-- ${NOBODY}:0 /d/a`],
    ['everybody: chmod o-w /d', 'owner: chown root /d/a'],
  ],
  [
    "a caller's checkout",
    CALLER,
    [ROOT, 'drwxrwxr-x 1000:1000 /c', '-rw-rw-r-- 1000:1000 /c/a'],
    ['group: chmod g-w /c', 'group: chmod g-w /c/a'],
  ],
  ['of neither root nor the caller', CALLER, [ROOT, '-rw-r--r-- 1001:1001 /a'], ['owner: chown root /a']],
  ['of whomever', ANYBODY, [ROOT, TMP, `-rw-r--r-- ${NOBODY}:0 /tmp/a`], []],
  ['of whomever, writable by everybody', ANYBODY, [ROOT, `-rw-rw-rw- ${NOBODY}:0 /a`], ['everybody: chmod o-w /a']],
];

test.each(TABLE)('a path %s', (_, trusted, path, doubts) => {
  const found = doubtsAbout(path.map(component), trusted);
  expect(found.map(({ about, command }) => `${about}: ${command}`)).toEqual(doubts);
});

test('a refusal names every reason and one line to type', () => {
  const doubts = doubtsAbout([ROOT, 'drwxrwxrwx 0:0 /d', `-rw-r--r-- ${NOBODY}:0 /d/a`].map(component), OWN);
  expect(refusalOf('/d/a', doubts)).toEqual({
    message: `/d/a is not obeyed: /d is writable by everybody; /d/a belongs to uid ${NOBODY}`,
    hint: 'Run `chmod o-w /d && chown root /d/a`.',
  });
  expect(refusalOf('/a', [])).toBeNull();
});
