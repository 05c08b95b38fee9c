/**
 * Text of a megabyte that strangers write, each made so that what read it once took a time that grew with the square of its
 * length, or worse: minutes to days. Now it is read in one pass, or refused.
 */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../src/composition/network-drivers.ts';
import { parseChallenges } from '../../src/images/registry/challenge.ts';
import { desiredState, type ResolveOptions, type SourceRevision } from '../../src/manifest/desired-state.ts';
import { readDockerfile } from '../../src/model/dockerfile/stages.ts';
import { parseBytes } from '../../src/model/kinds/short-forms.ts';
import { pathGlob } from '../../src/model/text/glob.ts';
import { parseIgnoreFile } from '../../src/model/text/ignore-file.ts';

const ROOM = 1024 ** 2 - 4096;
const many = (text: string, room = ROOM): string => text.repeat(Math.floor(room / text.length));
const numbered = (text: (number: number) => string, count: number): string =>
  Array.from({ length: count }, (_, number) => text(number)).join('');

const options: ResolveOptions = {
  generation: 1,
  defaultHostIp: '0.0.0.0',
  networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
  readFile: () => ({ ok: false, reason: 'missing', message: 'no such file' }),
  hashSecret: (bytes) => createHash('sha256').update(bytes).digest('hex'),
};

function problems(file: string, text: string): readonly string[] {
  const revision: SourceRevision = {
    sourceId: file,
    file: `/m/${file}`,
    baseDir: '/m',
    content: { ok: true, text },
    lastGood: null,
  };
  return (desiredState([revision], options).sources.get(file)?.issues ?? []).map(({ message }) => message);
}

const dockerfile = (text: string) => readDockerfile(text, 'Dockerfile', {}, {});
const pod = (annotation: string, more = ''): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: { name: p, annotations: { a: "${annotation}" } }\nspec: { containers: [{ name: a, image: b }] }\n${more}`;

test('a size that is mostly blanks', () => {
  expect(parseBytes(`0${many(' ')}x0`)).toMatchObject({ ok: false });
  expect(parseBytes(`${many(' ')}64 m `)).toMatchObject({ ok: true, value: 64 * 1024 ** 2 });
});

test('an ignored path with one long name', () => {
  expect(parseIgnoreFile(`${many('a')}/*`).problems).toEqual([]);
  expect(parseIgnoreFile('a/b/c*d\n!a/b/cd').matcher.ignores('a/b/cxd')).toBe(true);
});

test('ignore rules with more wildcards than the limit', () => {
  const { problems: found } = parseIgnoreFile(numbered(() => `${'**a'.repeat(16)}\n`, 60));
  expect(found.at(-1)?.message).toContain('one wildcard too many; the file may have 800');
});

test('patterns that test each character of the path', () => {
  let steps = 0;
  pathGlob('**a'.repeat(30)).ends('a/'.repeat(2_000), () => {
    steps += 1;
  });
  expect(steps).toBeLessThanOrEqual(4_000);
});

test('a Kubernetes secret whose base64 is mostly padding', () => {
  const secret = `---\napiVersion: v1\nkind: Secret\nmetadata: { name: s }\ndata: { a: "${many('=')}x=" }\n`;
  expect(problems('pod.yaml', pod('', secret))).toEqual(['expected base64']);
});

test('braces and blanks that look like a Helm template', () => {
  expect(problems('pod.yaml', pod(many('{{ ')))).toEqual([]);
  expect(problems('pod.yaml', pod(`{{${many(' ', 500_000)}}`))).toEqual([]);
  expect(problems('pod.yaml', pod('{{- .Values.name }}'))).toEqual([
    'this is a template of a Helm chart, which Helm makes manifests of',
  ]);
});

test('a tmpfs of Compose that is mostly colons', () => {
  expect(problems('compose.yaml', `services:\n  s: { image: x, tmpfs: ["${many(':', 500_000)}\\n"] }\n`)).not.toEqual(
    [],
  );
});

test('services that extend a large one', () => {
  const large = numbered((number) => `a${number}: 1, `, 8_000);
  const text = `services:\n  s0: { image: x, labels: { ${large} } }\n${numbered((number) => `  t${number}: { extends: s0 }\n`, 2_000)}`;
  expect(problems('compose.yaml', text)).toContain('the file grows too large when extends is written out');
});

test('a long text that many aliases, services or containers repeat', () => {
  const long = many('x', 500_000);
  const own = `containers:\n  z: { image: i, env: { A: &a "${long}" } }\n${numbered((number) => `  c${number}: { image: i, env: { A: *a } }\n`, 5_000)}`;
  expect(problems('app.yaml', own)).toEqual(['the file grows too large when its aliases are written out']);
  const keys = `x: &a { ${long}: 1 }\ny: [${many('*a, ', 80_000)}]\n`;
  expect(problems('app.yaml', keys)).toEqual(['the file grows too large when its aliases are written out']);
  const services = `services:\n  s: { image: x, labels: { A: "${long}" } }\n${numbered((number) => `  t${number}: { extends: s }\n`, 5_000)}`;
  expect(problems('compose.yaml', services)).toContain('what is made of it has more than 8 MiB of text');
  const containers = numbered(
    (number) => `{ name: c${number}, image: i, envFrom: [{ configMapRef: { name: m } }] }, `,
    4_000,
  );
  const map = `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: m }\ndata: { A: "${long}" }\n---\n`;
  const taking = `${map}apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { containers: [${containers}] }\n`;
  expect(problems('pod.yaml', taking)).toContain('what is made of it has more than 8 MiB of text');
});

test('Kubernetes variables that double each other', () => {
  const env = numbered((number) => `{ name: A${number}, value: "$(A${number - 1})$(A${number - 1})x" }, `, 12_000);
  const text = (more: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { containers: [{ name: a, image: b, env: [${more}] }] }\n`;
  expect(problems('pod.yaml', text(env))).toContain('what is made of it has more than 8 MiB of text');
  const args = `{ name: A, value: "${many('x', 100_000)}" }], args: [${many('$(A), ', 300_000)}`;
  expect(problems('pod.yaml', text(args))).toContain('what is made of it has more than 8 MiB of text');
});

test('as many unresolved names as resolved ones', () => {
  const volumes = numbered((number) => `volume${number}: {}, `, 12_000);
  const mounts = numbered((number) => `"volumx${number}:/x${number}", `, 12_000);
  const text = `volumes: { ${volumes} }\ncontainers:\n  a: { image: i, volumes: [${mounts}] }\n`;
  const found = problems('app.yaml', text);
  expect(found.length).toBe(201);
  expect(found.at(-1)).toBe('and 11800 more from here on');
});

test('an instruction with only flags', () => {
  expect(() => dockerfile(`FROM a\nRUN ${many('--a=b ')}x`)).toThrow('more than 256 flags one after the other');
  expect(dockerfile(`FROM a\nRUN ${many('--mount=type=tmpfs,target=/x ', 5_000)}true`).stages.length).toBe(1);
});

test('a line with only here-documents', () => {
  expect(() => dockerfile(`FROM a\nRUN ${numbered((number) => `<<A${number} `, 50_000)}\n`)).toThrow(
    'here-documents is longer',
  );
});

test('stages that copy from each other', () => {
  const text = numbered((number) => `FROM a AS s${number}\nCOPY --from=s${Math.max(0, number - 1)} a b\n`, 20_000);
  expect(() => dockerfile(text)).toThrow('more than 1000 stages');
});

test('a registry challenge that is mostly blanks', () => {
  expect(parseChallenges(many('\t'))).toEqual([]);
  expect(parseChallenges('Bearer realm="https://a/token",service="b"')[0]?.parameters.get('service')).toBe('b');
});
