/** Files beside the manifests that the supervisor obeys, once others may write to them. */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { doubtedSettings } from '../../src/composition/gates.ts';
import { openTrustPolicy } from '../../src/composition/registries.ts';
import { trySyscall } from '../../src/ffi/call/native.ts';
import { namesWriters } from '../../src/ffi/files/access-list.ts';
import { createGate, type Gate, readJudged } from '../../src/ffi/files/gate.ts';
import { walkPath } from '../../src/ffi/files/path-walk.ts';
import { AuthFile } from '../../src/images/registry/auth-file.ts';
import { tlsSettings } from '../../src/images/registry/endpoints.ts';
import { TrustPolicyFile } from '../../src/images/trust/policy.ts';
import { type Caller, callerGate, forHost } from '../../src/manifest/caller-files.ts';
import { readContentFile } from '../../src/manifest/source/files.ts';
import type { TsdError } from '../../src/model/errors/errors.ts';
import type { Doubt } from '../../src/model/trust.ts';
import { loadDaemonConfig } from '../../src/settings/daemon-config.ts';
import { temporaryDirectories } from '../support/temp-root.ts';

const temporary = temporaryDirectories('obeyed');
const NOBODY = 65_534;
const STARTER: Caller = { uid: 0, sudoUid: undefined, socketGroup: null };
const OWN: Gate = createGate({ trusted: { users: [0], groups: [0] }, hasAcl: namesWriters });

/** A file of root, in a directory of its own. */
function file(name: string, text: string): string {
  const path = join(temporary(), name);
  writeFileSync(path, text);
  return path;
}

/** Makes it world-writable. */
function opened(path: string): string {
  chmodSync(path, 0o666);
  return path;
}

const refusal = (path: string) => ({
  code: 'TSD_UNTRUSTED',
  message: `${path} is not obeyed: ${path} is writable by everybody`,
  hint: `Run \`chmod o-w ${path}\`.`,
});

test('the configuration of the daemon', () => {
  const path = file('daemon.yaml', 'debug: true\n');
  const load = () =>
    loadDaemonConfig({ flags: {}, env: {}, configFile: path, gate: callerGate(STARTER, () => {}, forHost) });
  expect(load().config).toMatchObject({ debug: true });
  opened(path);
  expect(load().errors).toMatchObject([refusal(path)]);
  chmodSync(path, 0o644);
  chownSync(path, NOBODY, 0);
  expect(load().errors).toMatchObject([{ code: 'TSD_UNTRUSTED', hint: `Run \`chown root ${path}\`.` }]);
});

test('a configuration that a group may write to is read with a warning for whoever starts the supervisor', () => {
  const path = file('daemon.yaml', 'debug: true\n');
  chownSync(path, 0, NOBODY);
  chmodSync(path, 0o664);
  const doubts: Doubt[] = [];
  const load = (changes: Partial<Caller> = {}) => {
    doubts.length = 0;
    const gate = callerGate({ ...STARTER, ...changes }, (doubt) => doubts.push(doubt));
    return loadDaemonConfig({ flags: {}, env: {}, configFile: path, gate });
  };
  expect(load().config).toMatchObject({ debug: true });
  expect(doubts).toMatchObject([{ about: 'group', path, command: `chmod g-w ${path}` }]);
  expect(doubtedSettings({ configFile: path }, { own: OWN, applied: OWN })).toMatchObject([
    { message: expect.stringContaining(`${path} is writable by group ${NOBODY}`), hint: `Run \`chmod g-w ${path}\`.` },
  ]);
  // Those who may use the socket command anyway.
  expect(load({ socketGroup: NOBODY }).config).toMatchObject({ debug: true });
  expect(doubts).toEqual([]);
  // A checkout of who calls sudo.
  chownSync(path, 1000, 0);
  expect(load().errors).toMatchObject([{ code: 'TSD_UNTRUSTED' }]);
  expect(load({ sudoUid: '1000' }).config).toMatchObject({ debug: true });
});

test('the trust policy, and a key that it names', () => {
  const path = file('policy.yaml', 'default: reject\n');
  const policy = new TrustPolicyFile(path, false, OWN);
  expect(policy.read().otherwise).toEqual({ type: 'reject' });
  opened(path);
  expect(() => policy.read()).toThrow(expect.objectContaining(refusal(path)));
  // A supervisor starts with it, and accepts no image.
  const told: TsdError[] = [];
  const opening = openTrustPolicy({ trustPolicy: path }, OWN, (error) => told.push(error));
  expect(told).toMatchObject([refusal(path)]);
  expect(() => opening.decide({ registry: 'registry.example', repository: 'a' })).toThrow('is not obeyed');
  chmodSync(path, 0o644);
  const key = opened(file('key.pub', 'KEY'));
  appendFileSync(path, `images: { registry.example/a: { signedBy: ${key} } }\n`);
  expect(() => policy.read()).toThrow(expect.objectContaining(refusal(key)));
});

test('certificates of a registry', async () => {
  const base = temporary();
  mkdirSync(join(base, 'registry.example'));
  const ca = join(base, 'registry.example', 'ca.crt');
  writeFileSync(ca, 'CA');
  const settings = { mirrors: [], insecure: [], certificates: [base], gate: OWN };
  expect((await tlsSettings('registry.example', settings)).ca).toContain('CA');
  opened(ca);
  await expect(tlsSettings('registry.example', settings)).rejects.toMatchObject(refusal(ca));
});

test('a credential helper named in a file that others can write does not run', async () => {
  const path = file('config.json', JSON.stringify({ credHelpers: { 'registry.example': 'no-such-helper' } }));
  const logins = new AuthFile(path, OWN);
  await expect(logins.get('registry.example')).rejects.not.toMatchObject({ code: 'TSD_UNTRUSTED' });
  opened(path);
  await expect(logins.get('registry.example')).rejects.toMatchObject(refusal(path));
  // Nothing of it is run: a login in it is only a login.
  await expect(logins.get('other.example')).resolves.toBeNull();
});

test('the checked file is the file that is read, also when its path is replaced', () => {
  const path = file('app.yaml', 'judged');
  const swapping: Gate = (asked) => {
    const judged = OWN(asked);
    writeFileSync(`${path}.new`, 'planted');
    chownSync(`${path}.new`, NOBODY, NOBODY);
    renameSync(`${path}.new`, path);
    return judged;
  };
  expect(readContentFile(path, undefined, swapping)).toMatchObject({ ok: true, bytes: Buffer.from('judged') });
  expect(readFileSync(path, 'utf8')).toBe('planted');
  expect(readContentFile(path, undefined, OWN)).toMatchObject({ ok: false, reason: 'untrusted' });
});

test('every link of a path and its target are checked', () => {
  const [first, second] = [temporary(), temporary()];
  mkdirSync(join(second, 'open'));
  chmodSync(join(second, 'open'), 0o777);
  writeFileSync(join(second, 'open', 'app.yaml'), 'text');
  symlinkSync(`../${second.split('/').at(-1)}/open`, join(first, 'way'));
  symlinkSync(`${first}/way/../open/app.yaml`, join(first, 'app.yaml'));
  const { components } = walkPath(join(first, 'app.yaml'));
  const below = components.map(({ path, kind }) => `${kind} ${path}`).filter((text) => text.includes('tsd-test-'));
  expect(below).toEqual([
    `directory ${first}`,
    `link ${first}/app.yaml`,
    `directory ${first}`,
    `link ${first}/way`,
    `directory ${second}`,
    `directory ${second}/open`,
    `directory ${second}`,
    `directory ${second}/open`,
    `file ${second}/open/app.yaml`,
  ]);
  expect(() => readJudged(join(first, 'app.yaml'), OWN)).toThrow(`${second}/open is writable by everybody`);
  symlinkSync('circle', join(first, 'circle'));
  expect(() => walkPath(join(first, 'circle'))).toThrow(expect.objectContaining({ code: 'ELOOP' }));
});

test('a hard link by another user and an access control list are refused', () => {
  const path = file('app.yaml', 'text');
  const shared = temporary();
  chmodSync(shared, 0o1777);
  linkSync(path, join(shared, 'app.yaml'));
  expect(() => readJudged(join(shared, 'app.yaml'), OWN)).toThrow('has 2 names');
  expect(readJudged(path, OWN)).toBe('text');
  rmSync(shared, { recursive: true });
  // user::rw-, user:nobody:rw-, group::r--, mask::rw-, other::r--
  const entries = [
    [1, 6, -1],
    [2, 6, NOBODY],
    [4, 4, -1],
    [16, 6, -1],
    [32, 4, -1],
  ] as const;
  const list = Buffer.alloc(4 + entries.length * 8);
  list.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id]] of entries.entries()) {
    list.writeUInt16LE(tag, 4 + index * 8);
    list.writeUInt16LE(permissions, 6 + index * 8);
    list.writeInt32LE(id, 8 + index * 8);
  }
  expect(trySyscall('setxattr', path, 'system.posix_acl_access', list, list.length, 0)).toBe(0);
  expect(() => readJudged(path, OWN)).toThrow('writable by those of its access control list');
});
