/** Startup, readiness and liveness probes of real containers, and probes by HTTPS. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { makeCertificates } from '../support/registry.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

const probe = (script: string, more = '') =>
  `{ exec: [busybox, sh, -c, ${JSON.stringify(script)}], interval: 100ms, startPeriod: 0s${more} }`;

test('startup delays the other probes, readiness delays links, and liveness restarts', async () => {
  // The other two log their requests: none before the startup probe has passed.
  supervisor.drop(
    'staged.yaml',
    `${BUSYBOX_IMAGE}containers:
  web:
    image: busybox
    restart: always
    command: ${FOREVER}
    volumes: [/state]
    health:
      startup: ${probe('test -e /state/started', ', retries: 1000')}
      readiness: ${probe('echo readiness >> /state/asked; test -e /state/ready')}
      liveness: ${probe('echo liveness >> /state/asked; test ! -e /state/stuck')}
  user: { image: busybox, command: ${FOREVER}, links: [web] }
`,
  );
  const inside = (script: string) => supervisor.cli('exec', 'web', 'busybox', 'sh', '-c', script);
  const tried = await supervisor.waitFor('web', 'asked more than once whether it has started', ({ health }) => {
    return (health?.results.filter((result) => result.probe === 'startup' && !result.ok).length ?? 0) > 1;
  });
  expect(tried).toMatchObject({ ready: false, restarts: 0 });
  expect(new Set(tried.health?.results.map((result) => result.probe))).toEqual(new Set(['startup']));
  expect((await inside('cat /state/asked')).status).not.toBe(0);

  await inside('touch /state/started');
  const started = await supervisor.waitFor('web', 'asked for the rest', ({ health }) => {
    const names = health?.results.map((result) => result.probe) ?? [];
    return names.includes('readiness') && names.includes('liveness');
  });
  expect(started).toMatchObject({ ready: false, restarts: 0, pid: tried.pid });
  expect(await supervisor.container('user')).toMatchObject({ phase: 'Pending', pid: null });

  await inside('touch /state/ready');
  const user = await supervisor.waitFor('user', 'ready', ({ ready }) => ready);
  await inside('rm /state/ready');
  const unready = await supervisor.waitFor('web', 'not ready any more', ({ ready }) => !ready);
  expect(unready).toMatchObject({ phase: 'Running', restarts: 0, pid: tried.pid });
  expect(await supervisor.container('user')).toMatchObject({ pid: user.pid, ready: true });

  await inside('touch /state/stuck');
  const again = await supervisor.waitFor('web', 'restarted', ({ restarts, pid }) => restarts > 0 && pid !== null);
  expect(again).toMatchObject({ id: tried.id });
  expect(again.pid).not.toBe(tried.pid);
  expect(await supervisor.ok('why', 'web')).toMatch(/unhealthy: liveness probe failed 3 times: exit 1/);
  await inside('rm /state/stuck');
});

test('a program does not run once the first process has its own user and mount namespace', async () => {
  const leave =
    'exec busybox unshare -U -r -m busybox sh -c "busybox mount --bind /state/fake /bin/busybox; exec sleep 86013"';
  supervisor.drop(
    'leaving.yaml',
    `${BUSYBOX_IMAGE}containers:
  leaver:
    image: busybox
    user: "1000"
    capabilities: { drop: [ALL] }
    noNewPrivileges: true
    seccomp: unconfined
    command: ${shell(`busybox cp /bin/busybox /state/fake; until test -e /state/go; do sleep 0.02; done; ${leave}`)}
    volumes: [{ type: tmpfs, target: /state }]
    health: { readiness: { exec: [busybox, sh, -c, 'test -w /state'], interval: 50ms, startPeriod: 0s, retries: 1 } }
`,
  );
  await supervisor.waitFor('leaver', 'ready', ({ ready }) => ready);
  await supervisor.ok('exec', 'leaver', 'busybox', 'touch', '/state/go');
  const reason =
    /nothing can be run in container [0-9a-f]{12}: its first process \(\d+\) has moved to a user namespace of its own/;
  const left = await supervisor.waitFor('leaver', 'not ready any more', ({ ready }) => !ready);
  expect(left.health?.results.at(-1)).toMatchObject({ ok: false, output: expect.stringMatching(reason) });
  const refused = await supervisor.cli('exec', 'leaver', 'busybox', 'true');
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(reason);
  expect(refused.stderr).toContain('tsdocker restart');
});

test('HTTPS ignores the certificate and sends the headers', async () => {
  const { cert, key } = makeCertificates(`${supervisor.base}/tls`);
  const program = supervisor.file(
    'server.js',
    `const { readFileSync } = require('fs');
require('https').createServer({ cert: readFileSync('/cert'), key: readFileSync('/key') }, (request, response) => {
  response.statusCode = request.url !== '/healthz' ? 404 : request.headers['x-probe'] === 'yes: it is' ? 204 : 403;
  response.end();
}).listen(8443);
process.on('SIGTERM', () => process.exit(0));`,
  );
  const server = (name: string, health: string) => `  ${name}:
    image: node
    command: [node, /server.js]
    volumes: [${cert}:/cert:ro, ${key}:/key:ro, ${program}:/server.js:ro]
    health: { readiness: { http: ${health}, interval: 200ms } }
`;
  supervisor.drop(
    'tls.yaml',
    `images: { node: { host: [node] } }
containers:
${server('knows', '{ port: 8443, path: /healthz, scheme: https, headers: { X-Probe: "yes: it is" } }')}
${server('mute', '{ port: 8443, path: /healthz, scheme: https }')}
${server('plain', '{ port: 8443, path: /healthz }')}`,
  );
  const knows = await supervisor.waitFor('knows', 'ready', ({ ready }) => ready);
  expect(knows.health?.results.at(-1)).toMatchObject({ probe: 'readiness', ok: true, output: 'HTTP 204' });
  const answered = (text: RegExp) => (view: typeof knows) =>
    view.health?.results.some(({ ok, output }) => !ok && text.test(output)) === true;
  await supervisor.waitFor('mute', 'refused', answered(/^HTTP 403/));
  // A server that talks TLS does not answer plain HTTP.
  const plain = await supervisor.waitFor('plain', 'not understood', answered(/reset|closed|hang up|ended/i));
  expect(plain.ready).toBe(false);
});
