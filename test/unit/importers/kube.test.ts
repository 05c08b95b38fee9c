import { describe, expect, test } from 'vitest';
import { translated } from './translation.ts';

const POD = 'apiVersion: v1\nkind: Pod\nmetadata: { name: p }\n';

describe('templates of Helm charts are reported as such', () => {
  const hint = (file: string, text: string, others: Record<string, string> = {}) => {
    const { issues, manifest } = translated(file, { [file]: text, ...others });
    return { issues, made: Object.keys(manifest).filter((key) => key !== 'app') };
  };

  test.each([
    ['a value that is no YAML', `${POD}spec: {{ .Values.spec | toYaml }}\n`],
    ['a line of its own', `{{- if .Values.enabled }}\n${POD}{{- end }}\n`],
    ['a quoted value', `apiVersion: v1\nkind: Pod\nmetadata: { name: "{{ .Release.Name }}-x" }\n`],
  ])('%s', (_name, text) => {
    const { issues, made } = hint('/chart/templates/pod.yaml', text, { '/chart/Chart.yaml': 'apiVersion: v2\n' });
    expect(issues).toEqual([
      expect.stringMatching(/^\/chart\/templates\/pod\.yaml:\d+:\d+: this is a template of a Helm chart/),
    ]);
    expect(made).toEqual([]);
  });

  test('the chart itself', () => {
    expect(hint('/chart/Chart.yaml', 'apiVersion: v2\nname: x\nversion: 1.0.0\n').issues).toEqual([
      expect.stringContaining('this file describes a Helm chart'),
    ]);
  });

  test('braces for other programs are not a template', () => {
    const text = `${POD}spec:\n  containers:\n  - { name: a, image: x, args: [ "--format={{ .Names }}" ] }\n`;
    expect(hint('/app/pod.yaml', text)).toEqual({ issues: [], made: ['containers'] });
  });
});

test('variables that double each other do not grow without bound', () => {
  const env = Array.from({ length: 60 }, (_, index) => ({ name: `A${index + 1}`, value: `$(A${index})$(A${index})` }));
  const container = { name: 'a', image: 'x', env: [{ name: 'A0', value: 'xxxxxxxx' }, ...env] };
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [container] },
  });
  const { manifest } = translated('/app/pod.json', { '/app/pod.json': text });
  const values = Object.values((manifest.containers?.p?.env ?? {}) as Record<string, string>);
  expect(Math.max(...values.map(({ length }) => length))).toBeLessThan(2 ** 18);
});

test('counts and times of zero are those of the API', () => {
  const probe =
    '{ tcpSocket: { port: 1 }, periodSeconds: 0, timeoutSeconds: 0, failureThreshold: 0, successThreshold: 0 }';
  const text = `${POD}spec:\n  containers:\n  - { name: a, image: x, readinessProbe: ${probe} }\n`;
  const { issues, manifest } = translated('/app/pod.yaml', { '/app/pod.yaml': text });
  expect(issues).toEqual([]);
  expect(manifest.containers?.p?.health).toMatchObject({
    readiness: { interval: '10s', timeout: '1s', retries: 3, successes: 1 },
  });
});

test('a host directory is created where its type says so', () => {
  const volumes =
    '[ { name: d, hostPath: { path: /d, type: DirectoryOrCreate } }, { name: f, hostPath: { path: /f, type: FileOrCreate } } ]';
  const mounts = '[ { name: d, mountPath: /a }, { name: f, mountPath: /b } ]';
  const text = `${POD}spec:\n  volumes: ${volumes}\n  containers:\n  - { name: a, image: x, volumeMounts: ${mounts} }\n`;
  const { issues, manifest, warnings } = translated('/app/pod.yaml', { '/app/pod.yaml': text });
  expect(issues).toEqual([]);
  expect(manifest.containers?.p?.volumes).toEqual([{ source: '/d', target: '/a', create: true }, '/f:/b']);
  expect(warnings).toEqual([expect.stringContaining('FileOrCreate: a file that is missing is waited for')]);
});

test('the name of a service is reported where it does not resolve', () => {
  const service = (name: string, port: string) =>
    `---\napiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { selector: { a: b }, ports: [ ${port} ] }\n`;
  const pod = `apiVersion: v1\nkind: Pod\nmetadata: { name: web, labels: { a: b } }\nspec: { containers: [ { name: c, image: x } ] }\n`;
  const warnings = (name: string, port: string) =>
    translated('/app/pod.yaml', { '/app/pod.yaml': pod + service(name, port) }).warnings;
  expect(warnings('web', '{ port: 80 }')).toEqual([]);
  expect(warnings('web', '{ port: 80, targetPort: 8080 }')).toEqual([
    expect.stringContaining('its name is that of the container, where port 80 is 8080'),
  ]);
  expect(warnings('front', '{ port: 80 }')).toEqual([
    expect.stringContaining('its name does not resolve; the container is called web'),
  ]);
});

test('the socket of another engine is reported', () => {
  const text = `${POD}spec:\n  volumes: [ { name: s, hostPath: { path: /var/run } } ]\n  containers:\n  - { name: a, image: x, volumeMounts: [ { name: s, mountPath: /s, subPath: docker.sock } ] }\n`;
  expect(translated('/app/pod.yaml', { '/app/pod.yaml': text }).warnings).toEqual([
    expect.stringContaining('/var/run/docker.sock is the socket of Docker, not of tsdocker'),
  ]);
});
