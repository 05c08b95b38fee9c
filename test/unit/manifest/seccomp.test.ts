/** The field `seccomp`: what it means, which files it reads, and how files of others say it. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../../src/composition/network-drivers.ts';
import type { ReadResult } from '../../../src/manifest/content.ts';
import { desiredState, type SourceRevision } from '../../../src/manifest/desired-state.ts';
import { loadProfile } from '../../../src/manifest/seccomp-profile.ts';
import type { Desired } from '../../../src/model/desired.ts';
import { declarationNotes } from '../../../src/model/notes/declaration-notes.ts';
import { diffSpecs } from '../../../src/reconcile/plan/diff.ts';
import { translated, translatedUnits } from '../importers/translation.ts';

const WEB = 'container/app/web';
const ALLOW = '{"defaultAction":"SCMP_ACT_ALLOW"}';
const docker = readFileSync(new URL('../../fixtures/seccomp/docker-default.json', import.meta.url), 'utf8');

function resolved(container: string, files: Readonly<Record<string, string>> = {}, pinned?: SourceRevision['pinned']) {
  const source: SourceRevision = {
    sourceId: 'a',
    file: '/m/app.yaml',
    baseDir: '/m',
    content: {
      ok: true,
      text: `images: { b: { archive: /b.tar } }\ncontainers:\n  web:\n    image: b\n    ${container}\n`,
    },
    lastGood: null,
    pinned,
  };
  const readFile = (path: string): ReadResult =>
    Object.hasOwn(files, path)
      ? { ok: true, bytes: Buffer.from(files[path] ?? ''), owner: { mode: 0o644, uid: 0, gid: 0 } }
      : { ok: false, reason: 'missing', message: `${path}: no such file` };
  const { state, sources } = desiredState([source], {
    generation: 1,
    defaultHostIp: '0.0.0.0',
    networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
    readFile,
    hashSecret: () => '',
  });
  const issues = (sources.get('a')?.issues ?? []).map(({ message, position }) => `${position.line}: ${message}`);
  const web = state.resources.get(WEB) as Desired<'container'> | undefined;
  return { web, issues, notes: declarationNotes(state.resources), outcome: sources.get('a') };
}

describe('the default', () => {
  test('is not part of the hash, explicit or implicit', () => {
    const [plain, written] = [resolved('tty: false'), resolved('seccomp: default')];
    expect(written.web?.specHash).toBe(plain.web?.specHash);
    expect(plain.web?.spec.seccomp).toBeNull();
    expect([plain.notes, plain.issues, written.notes, written.issues]).toEqual([[], [], [], []]);
  });

  test('is equal to the state of an earlier version', () => {
    const spec = resolved('tty: false').web?.spec;
    const { seccomp: _, ...before } = { ...spec };
    expect(diffSpecs('container', before, spec)).toEqual([]);
  });
});

describe('another one', () => {
  test('is a change with a restart', () => {
    const [before, after] = [resolved('tty: false').web, resolved('seccomp: unconfined').web];
    expect(after?.specHash).not.toBe(before?.specHash);
    expect(diffSpecs('container', before?.spec, after?.spec)).toEqual([
      { path: 'seccomp', from: null, to: 'unconfined', change: 'restart' },
    ]);
  });

  test('has a warning at its line', () => {
    expect(resolved('seccomp: unconfined').notes).toEqual([
      expect.objectContaining({
        warning: true,
        message: 'web runs without a filter of system calls: it reaches the whole kernel',
        source: { file: '/m/app.yaml', line: 5, column: 5 },
      }),
    ]);
    expect(resolved('seccomp: ./p.json', { '/m/p.json': ALLOW }).notes[0]?.message).toBe(
      'web runs under the filter of /m/p.json, not under the default one',
    );
  });

  test('is a file with a hashed and pinned content', () => {
    const [one, other] = [ALLOW, docker].map((text) => resolved('seccomp: ./p.json', { '/m/p.json': text }));
    expect([one?.issues, other?.issues]).toEqual([[], []]);
    expect(one?.web?.specHash).not.toBe(other?.web?.specHash);
    expect(Object.keys(one?.web?.files ?? {})).toEqual(['/m/p.json']);
    expect(one?.outcome?.contents.resources[WEB]?.files['./p.json']).toBeDefined();
  });

  test('has its content at apply', () => {
    const applied = resolved('seccomp: ./p.json', { '/m/p.json': ALLOW });
    const contents = applied.outcome?.contents;
    if (contents === undefined) throw new Error('no contents');
    const later = resolved('seccomp: ./p.json', { '/m/p.json': 'nonsense' }, { contents, held: false });
    expect(later.issues).toEqual([]);
    expect(later.web?.specHash).toBe(applied.web?.specHash);
    expect(later.web?.files).toEqual(applied.web?.files);
  });
});

describe('a profile', () => {
  const problem = (text: string, container = 'seccomp: ./p.json') => resolved(container, { '/m/p.json': text }).issues;

  test.each([
    ['{', /^5: \/m\/p\.json:1:\d+: /],
    ['{"syscalls": []}', /^5: \/m\/p\.json:1:1: defaultAction: /],
    [
      '{\n "defaultAction": "SCMP_ACT_DENY"\n}',
      /^5: \/m\/p\.json:2:19: defaultAction: expected one of SCMP_ACT_KILL, /,
    ],
    ['{"defaultAction": "SCMP_ACT_ERRNO", "default": 1}', /p\.json:1:1: Unrecognized key/],
    [
      '{"defaultAction": "SCMP_ACT_ALLOW",\n"syscalls": [{"names": ["a"], "action": "SCMP_ACT_NOTIFY"}]}',
      /p\.json:2:\d+: syscalls\.0\.action: SCMP_ACT_NOTIFY needs a program/,
    ],
    [
      '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_65"]}',
      /architectures\.0: expected the name of an architecture/,
    ],
    [
      '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}]}',
      /syscalls\.0\.args\.0\.index/,
    ],
    ['{"defaultAction": "SCMP_ACT_ERRNO"}', /^5: \/m\/p\.json: no container can start without prctl, .*exit_group$/],
    [
      '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["setgroups", "close_range"], "action": "SCMP_ACT_ERRNO"}]}',
      /no container can start without setgroups, close_range$/,
    ],
  ])('%s is refused', (text, message) => {
    expect(problem(text)).toEqual([expect.stringMatching(message)]);
  });

  test('that is missing is reported where it is named', () => {
    expect(resolved('seccomp: ./none.json').issues).toEqual(['5: /m/none.json: no such file']);
  });

  test('of an OCI bundle is accepted as well', () => {
    const oci = {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_MIPS'],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      syscalls: JSON.parse(docker).syscalls.filter((rule: { includes?: unknown }) => !rule.includes),
    };
    expect(problem(JSON.stringify(oci))).toEqual([]);
  });

  test('of Docker is accepted for each set of capabilities', () => {
    for (const capabilities of ['{ drop: [ALL] }', '{ add: [SYS_ADMIN] }', '{ add: [ALL] }']) {
      expect(problem(docker, `seccomp: ./p.json\n    capabilities: ${capabilities}`)).toEqual([]);
    }
  });

  test('is read at a start from the file or its copy', () => {
    const subject = { seccomp: '/m/p.json', capabilities: { add: [], drop: [] }, privileged: false };
    const read = (text: string) => loadProfile(subject, () => ({ ok: true, bytes: Buffer.from(text) }));
    expect(read(docker)).toMatchObject({ seccomp: { defaultAction: 'SCMP_ACT_ERRNO' }, problems: [] });
    expect(read('[')).toMatchObject({ seccomp: undefined, problems: [{ field: 'seccomp' }] });
  });
});

describe('foreign files', () => {
  const compose = (option: string, files = {}) =>
    translated('/app/compose.yaml', {
      '/app/compose.yaml': `services:\n  a: { image: x, security_opt: ["${option}"] }\n`,
      ...files,
    });

  test.each([
    ['seccomp:unconfined', 'unconfined'],
    ['seccomp=unconfined', 'unconfined'],
    ['seccomp:./p.json', './p.json'],
    ['seccomp=builtin', 'default'],
  ])('Compose: %s', (option, expected) => {
    const { manifest, issues, warnings } = compose(option);
    expect(manifest.containers?.a?.seccomp).toBe(expected);
    expect([issues, warnings]).toEqual([[], []]);
  });

  test('Compose: a path is relative to its file', () => {
    const { manifest } = translated('/app/compose.yaml', {
      '/app/compose.yaml': 'services:\n  a: { extends: { file: sub/base.yaml, service: b } }\n',
      '/app/sub/base.yaml': 'services:\n  b: { image: x, security_opt: ["seccomp:p.json"] }\n',
    });
    expect(manifest.containers?.a?.seccomp).toBe('./sub/p.json');
  });

  test.each([
    ['unconfined', 'unconfined'],
    ['./p.json', './p.json'],
    ['/etc/p.json', '/etc/p.json'],
  ])('Quadlet: SeccompProfile=%s', (profile, expected) => {
    const { manifest, warnings } = translatedUnits({
      '/units/a.container': `[Container]\nImage=x\nSeccompProfile=${profile}\n`,
    });
    expect(manifest.containers?.a?.seccomp).toBe(expected);
    expect(warnings).toEqual([]);
  });

  test.each([
    ['type: Unconfined', 'unconfined'],
    ['type: RuntimeDefault', 'default'],
    ['{ type: Localhost, localhostProfile: a/p.json }', '/var/lib/kubelet/seccomp/a/p.json'],
  ])('Kubernetes: seccompProfile %s', (profile, expected) => {
    const text = profile.startsWith('{') ? profile : `{ ${profile} }`;
    for (const [pod, container] of [
      [`securityContext: { seccompProfile: ${text} }, `, ''],
      ['', `, securityContext: { seccompProfile: ${text} }`],
    ]) {
      const { manifest, warnings } = translated('/k/pod.yaml', {
        '/k/pod.yaml': `apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { ${pod}containers: [{ name: c, image: x${container} }] }\n`,
      });
      const [one] = Object.values(manifest.containers ?? {});
      expect(one?.seccomp).toBe(expected);
      expect(warnings).toEqual([]);
    }
  });
});
