// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Compose files are what is tested
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { groupFiles } from '../../../src/manifest/importers/bundle.ts';
import { parseDotEnv } from '../../../src/manifest/importers/compose/dot-env.ts';
import { parseQuantity } from '../../../src/manifest/importers/kube/quantity.ts';
import { imageReference, safeName } from '../../../src/manifest/importers/names.ts';
import { unitWords } from '../../../src/manifest/importers/quadlet/unit-file.ts';
import { shellWords } from '../../../src/manifest/importers/words.ts';
import { parseManifest } from '../../../src/manifest/parse.ts';
import type { ContainerSpec } from '../../../src/model/kinds/container.ts';
import { NAME_PATTERN } from '../../../src/model/resource.ts';

test.each([
  ['nginx', 'docker.io/library/nginx:latest'],
  ['me/app:2', 'docker.io/me/app:2'],
  ['localhost/app', 'localhost/app:latest'],
  ['registry.example:5000/app', 'registry.example:5000/app:latest'],
  ['quay.io/a/b@sha256:12', 'quay.io/a/b@sha256:12'],
])('the image %s is %s', (written, full) => expect(imageReference(written)).toBe(full));

test.each([
  ['my_db', 'my-db'],
  ['--Web.1--', 'web-1'],
  ['___', null],
])('%s is named %s', (written, name) => expect(safeName(written)).toBe(name));

test('a safe name is a name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const name = safeName(text);
      return name === null || NAME_PATTERN.test(name);
    }),
  );
});

describe('words', () => {
  test.each([
    [`a "b c" 'd e' f\\ g`, ['a', 'b c', 'd e', 'f g']],
    [`--x="y z"`, ['--x=y z']],
    [`"" ''`, ['', '']],
  ])('of a shell: %s', (text, words) => expect(shellWords(text)).toEqual({ ok: true, value: words }));

  test.each([
    [`/some/path "an arg" "a;b\\nc\\td'e" a;b\\nc 'a"b'`, ['/some/path', 'an arg', "a;b\nc\td'e", 'a;b\nc', 'a"b']],
    [`'\\110ello \\127orld' \\x41`, ['Hello World', 'A']],
    [`'test\\.com'`, ['test\\.com']],
    [`a.b="Two Words" c='d "e"'f`, ['a.b=Two Words', 'c=d "e"f']],
    [`A="" '' b\\x20c`, ['A=', '', 'b c']],
    [`x=\\U0001F600`, ['x=😀']],
  ])('of a unit: %s', (text, words) => expect(unitWords(text)).toEqual({ words, open: false }));

  test('an open quote is refused in a shell, and extends to the end in a unit', () => {
    expect(shellWords('a "b').ok).toBe(false);
    expect(unitWords("it's a b\\")).toEqual({ words: ['its a b'], open: true });
  });
});

describe('a .env file', () => {
  const read = (text: string) => {
    const { values, problems } = parseDotEnv(text);
    return { values: Object.fromEntries(values), problems: problems.map(({ line, message }) => `${line}: ${message}`) };
  };

  test('has comments, quotes and escapes as Compose reads them', () => {
    const text = `# c\nA=1 # comment\nexport B='x # y'\nC="a\\n\\"b" # d\nD=\nE=a#b\nF='$A \\'q\\''\nG="two\nlines"\nH: yaml`;
    expect(read(text)).toEqual({
      values: { A: '1', B: 'x # y', C: 'a\n"b', D: '', E: 'a#b', F: "$A 'q'", G: 'two\nlines', H: 'yaml' },
      problems: [],
    });
  });

  test('has variables of the lines before, except in single quotes', () => {
    const text = 'A=1\nB=${A}-$A\nC="${B}/${NO:-x}"\nD=\'${A}\'\nE="\\$A $$A"\nF=${LATER}\nLATER=1';
    expect(read(text)).toEqual({
      values: { A: '1', B: '1-1', C: '1-1/x', D: '${A}', E: '$A $A', F: '', LATER: '1' },
      problems: ['6: the variable LATER has no value before this line'],
    });
  });

  test('reports ignored lines', () => {
    expect(read('not an assignment\nINHERITED\nA="open\nB=1\nC=${').problems).toEqual([
      '1: this is no assignment and is left out',
      '3: the quote of A is left open; it is left out',
      '5: "${" is left open; it is taken as written',
    ]);
  });

  test('does not grow without bound', () => {
    const doubling = Array.from({ length: 60 }, (_, index) => `A${index + 1}=$A${index}$A${index}`);
    const { values, problems } = parseDotEnv(['A0=xxxxxxxx', ...doubling].join('\n'));
    expect([...values.values()].join('').length).toBeLessThan(2 ** 24);
    expect(problems).not.toEqual([]);
  });
});

test.each([
  ['250m', 0.25],
  ['128Mi', 134_217_728],
  ['1G', 1e9],
  ['1e3', 1000],
  ['.5', 0.5],
  ['lots', null],
  ['1MB', null],
])('the quantity %s is %s', (text, value) => expect(parseQuantity(text)).toBe(value));

/** The translation of a Compose file beside which an .env file stands. */
function compose(value: string, dotEnv: string) {
  const text = `services:\n  a:\n    image: x\n    environment: { V: ${JSON.stringify(value)} }\n`;
  const readFile = (path: string) =>
    path === '/app/.env'
      ? { ok: true as const, bytes: Buffer.from(dotEnv) }
      : { ok: false as const, reason: 'missing' as const, message: path };
  return parseManifest({ text, file: 'a.yaml', appDefault: 'a', reach: { baseDir: '/app', readFile } });
}

test.each([
  ['$A-${A}', '1-1'],
  ['${NONE:-two}', 'two'],
  ['${EMPTY:-two}', 'two'],
  ['${EMPTY-two}', ''],
  ['${NONE:-${A}}', '1'],
  ['${A:+set}${NONE:+set}', 'set'],
  ['$$A', '$A'],
  ['a$', 'a$'],
])('with variables, %s is %s', (value, expected) => {
  const { translation, issues } = compose(value, 'A=1\nEMPTY=');
  expect(issues).toEqual([]);
  expect(translation?.manifest).toMatchObject({ containers: { a: { env: { V: expected } } } });
  expect(translation?.inputs).toEqual(['/app/.env']);
});

describe('never throws', () => {
  const yamlish = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc
      .array(
        fc.constantFrom('services:', ' a:', '  image: ', 'x', '\n', '- ', '${A', '{', '<<: *x', '&x', ': ', "'", '8'),
      )
      .map((parts) => `services:\n${parts.join('')}`),
    fc
      .array(
        fc.constantFrom('spec:', ' containers:', '\n', '  - ', 'name: a', 'image: b', 'env:', '[', '{}', 'kind: Pod'),
      )
      .map((parts) => `apiVersion: v1\nkind: Pod\n${parts.join('')}`),
  );

  /** Values of any form where fields are expected. */
  const json = fc.jsonValue({ maxDepth: 4 });
  const service = fc.dictionary(
    fc.constantFrom(
      'image',
      'command',
      'ports',
      'volumes',
      'networks',
      'depends_on',
      'deploy',
      'secrets',
      'extends',
      'environment',
      'ulimits',
      'network_mode',
      'env_file',
      'scale',
    ),
    json,
  );
  const pod = fc.dictionary(
    fc.constantFrom('containers', 'initContainers', 'volumes', 'restartPolicy', 'hostNetwork', 'securityContext'),
    json,
  );
  const parse = (text: string, file = 'a.yaml') => parseManifest({ text, file, appDefault: null });

  test('for text', () => {
    fc.assert(fc.property(yamlish, (text) => parse(text) !== null));
  });

  test('for services of any form', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), service),
        fc.dictionary(fc.string(), json),
        (services, volumes) => parse(JSON.stringify({ services, volumes, networks: volumes })) !== null,
      ),
    );
  });

  test('for pods of any form', () => {
    fc.assert(
      fc.property(
        pod,
        json,
        (spec, metadata) => parse(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec })) !== null,
      ),
    );
  });

  test('for units', () => {
    const line = fc.tuple(
      fc.constantFrom(
        '[Container]',
        'Image',
        'Volume',
        'Mount',
        'Network',
        'Pod',
        'Exec',
        'Environment',
        'User',
        '',
        '#',
      ),
      fc.constantFrom('=', '', ' = '),
      fc.oneof(fc.string(), fc.constantFrom('a.volume', 'type=tmpfs,dst=/x', '%', '%i', '"', '\\', 'a.pod', 'host')),
    );
    const type = fc.constantFrom('container', 'volume', 'network', 'image', 'build', 'pod', 'kube');
    fc.assert(
      fc.property(fc.array(line), type, (lines, extension) => {
        const text = `[Container]\n${lines.map((parts) => parts.join('')).join('\n')}`;
        const [group] = groupFiles([{ path: `/d/a@.${extension}`, content: { ok: true, text } }]);
        return group?.content.ok && parse(group.content.text) !== null && parse(text, `/d/a.${extension}`) !== null;
      }),
    );
  });
});

describe('health', () => {
  const specs = (file: string, text: string) => {
    const parsed = parseManifest({
      text,
      file,
      appDefault: 'a',
      reach: { baseDir: '/m', readFile: (path) => ({ ok: false, reason: 'missing', message: path }) },
    });
    const warnings = (parsed.translation?.warnings ?? []).map(({ message }) => message);
    const found = (parsed.app?.resources ?? []).flatMap(({ kind, name, spec }) =>
      kind === 'container' && spec ? [[name, spec as ContainerSpec] as const] : [],
    );
    return { of: Object.fromEntries(found), warnings, issues: parsed.issues.map(({ message }) => message) };
  };

  test('of Compose, with its conditions', () => {
    const { of, warnings, issues } = specs(
      'compose.yaml',
      `services:
  db: { image: x, healthcheck: { test: pg_isready, interval: 5s, start_period: 1m } }
  off: { image: x, healthcheck: { disable: true } }
  none: { image: x, healthcheck: { test: [NONE] } }
  job: { image: x, network_mode: none }
  web:
    image: x
    healthcheck: { test: [CMD, a, b], retries: 7 }
    depends_on: { db: { condition: service_healthy, restart: true }, job: { condition: service_completed_successfully } }
`,
    );
    expect({ warnings, issues }).toEqual({ warnings: [], issues: [] });
    expect(of.db?.health).toMatchObject({
      check: {
        check: { argv: ['/bin/sh', '-c', 'pg_isready'] },
        intervalMs: 5000,
        timeoutMs: 30_000,
        retries: 3,
        startPeriodMs: 60_000,
      },
    });
    expect([of.off?.health, of.none?.health]).toEqual(['none', 'none']);
    expect(of.web).toMatchObject({
      health: { check: { check: { argv: ['a', 'b'] }, retries: 7, startPeriodMs: 30_000 } },
      links: [{ target: 'db' }],
      dependsOn: [{ container: 'job', condition: 'completed' }],
      onDependencyRestart: 'restart',
    });
  });

  test('of Kubernetes, with named ports and init containers', () => {
    const { of, warnings } = specs(
      'pod.yaml',
      `apiVersion: v1
kind: Pod
metadata: { name: p }
spec:
  initContainers: [ { name: init, image: x } ]
  containers:
  - name: web
    image: x
    livenessProbe: { httpGet: { path: /live, port: http, scheme: HTTPS, httpHeaders: [ { name: X-A, value: b } ] }, failureThreshold: 5 }
    readinessProbe: { tcpSocket: { port: 81 }, initialDelaySeconds: 3, successThreshold: 2 }
    startupProbe: { grpc: { port: 9 } }
    ports: [ { name: http, containerPort: 80 } ]
`,
    );
    expect(Object.keys(of)).toEqual(['p', 'p-init']);
    expect(of.p?.health).toMatchObject({
      startup: null,
      liveness: {
        check: { type: 'http', port: 80, path: '/live', scheme: 'https', headers: { 'X-A': 'b' } },
        timeoutMs: 1000,
        retries: 5,
        startPeriodMs: 0,
      },
      readiness: { check: { type: 'tcp', port: 81 }, initialDelayMs: 3000, successes: 2 },
    });
    expect(warnings).toContain('startupProbe has no check that can be made and is left out');
    expect(of.p?.dependsOn).toEqual([{ container: 'p-init', condition: 'completed' }]);
  });
});
