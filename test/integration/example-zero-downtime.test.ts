import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findBusybox } from '../support/images.ts';
import { NGINX_INSTALLED } from '../support/nginx.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const EXAMPLE = resolve(import.meta.dirname, '../../examples/zero-downtime/zero-downtime.yaml');
let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

test.skipIf(findBusybox() === null || !NGINX_INSTALLED)(
  'the example is updated behind nginx without a failed request, and a bad edit leaves it serving (needs busybox-static, nginx)',
  async () => {
    const port = await freePort();
    const text = readFileSync(EXAMPLE, 'utf8').replace('18082', String(port));
    const file = supervisor.file('zero-downtime.yaml', text);
    supervisor.file('nginx.conf', readFileSync(join(dirname(EXAMPLE), 'nginx.conf')));
    const page = async (): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
      const body = (await answer.text()).trim();
      return answer.ok ? body : `failed: ${answer.status}`;
    };
    expect((await supervisor.cli('validate', '-f', file)).stderr).toBe('');
    await supervisor.ok('apply', '--wait', '-f', file);
    const answers = new Set<string>();
    let going = true;
    const client = (async () => {
      while (going) answers.add(await page().catch((error: Error) => `failed: ${error.message}`));
    })();

    const proxy = await supervisor.container('proxy');
    const two = text.replace('PAGE: one', 'PAGE: two');
    writeFileSync(file, two);
    await supervisor.ok('apply', '--wait', '-f', file);
    await expect.poll(page).toBe('two');
    writeFileSync(file, two.replace('exec busybox httpd', 'exit 3; exec busybox httpd'));
    const failed = await supervisor.cli('apply', '--wait', '-f', file);
    expect(failed.status).not.toBe(0);
    expect(failed.stdout + failed.stderr).toContain('exited with 3');
    expect(await page()).toBe('two');
    going = false;
    await client;
    expect([...answers]).toEqual(['one', 'two']);
    // It was not restarted, and looked the name up once.
    expect(await supervisor.container('proxy')).toMatchObject({ pid: proxy?.pid, restarts: 0 });
  },
);

const PROXIED = (web: string, tie: string) => `images:
  busybox: { host: [busybox] }
  nginx: { host: { binaries: [nginx] } }
containers:
  web:
    image: busybox
    command: [busybox, sh, -c, 'mkdir -p /www; echo ${web} > /www/index.html; exec busybox httpd -f -p 80 -h /www']
    health: { http: { port: 80 }, interval: 250ms }
    update: { order: start-first, drain: 1s }
    stopTimeout: 0s
  proxy:
    image: nginx
    command: [nginx, -c, /nginx.conf, -e, stderr]
    volumes: ["${join(dirname(EXAMPLE), 'nginx.conf')}:/nginx.conf:ro", { type: tmpfs, target: /tmp }]
    ${tie}
    stopTimeout: 1s
`;

test.skipIf(findBusybox() === null || !NGINX_INSTALLED)(
  'a proxy that looked a name up once goes on, and there is nothing to warn of (needs busybox-static, nginx)',
  async () => {
    const untied = supervisor.file('site.yaml', PROXIED('one', 'dependsOn: [web]'));
    const validated = await supervisor.cli('validate', '-f', untied);
    expect(validated).toMatchObject({ status: 0 });
    expect(validated.stderr).not.toContain('note ');
    await supervisor.ok('apply', '--wait', '-f', untied);
    const [web, proxy] = [await supervisor.container('web'), await supervisor.container('proxy')];
    const page = async (): Promise<string> => {
      const answer = await fetch(`http://${(await supervisor.container('proxy'))?.address}/`);
      return answer.ok ? (await answer.text()).trim() : `failed: ${answer.status}`;
    };
    writeFileSync(untied, PROXIED('two', 'dependsOn: [web]'));
    await supervisor.ok('apply', '--wait', '-f', untied);
    await supervisor.waitFor('web', 'replaced', ({ id, ready }) => ready && id !== web?.id);
    await expect.poll(() => supervisor.container('web.old')).toBeUndefined();
    expect(await page()).toBe('two');
    expect(await supervisor.container('proxy')).toMatchObject({ pid: proxy?.pid });
    expect((await supervisor.cli('plan')).stdout).toBe('Nothing to do.\n');
  },
);
