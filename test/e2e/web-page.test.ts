/** The page in a real browser, with containers that write and are named as an attacker would. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;
let browser: Browser;
let page: Page;
let address: string;
const complaints: string[] = [];

/** Without these Chromium asks its maker's servers at every start. */
const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

beforeAll(async () => {
  supervisor = await new TestSupervisor(['--web', '127.0.0.1:0']).start();
  const hostile = `echo '<img src=x onerror=alert(1)><script>alert(2)</script>'; printf '\\033]0;evil\\007\\033[31mred\\033[0m\\n'; ${IDLE}`;
  supervisor.drop(
    'shop.yaml',
    `${BUSYBOX_IMAGE}containers:\n  db: { image: busybox, command: ${shell(hostile)} }\n` +
      `  web: { image: busybox, command: ${shell(IDLE)}, links: [db], labels: { x: "<b>" } }\n` +
      `  sick: { image: busybox, command: ${shell('echo "<svg onload=alert(3)>"; exit 3')}, restart: always }\n`,
  );
  supervisor.drop('bad.yaml', 'containers: { x: { image: busybox, "<img src=x onerror=alert(4)>": 1 } }\n');
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const ready = supervisor.log.split('\n').find((line) => line.includes('"msg":"ready"')) ?? '{}';
  address = (JSON.parse(ready) as { web: string }).web;
  const profile = mkdtempSync('/tmp/tsd-test-browser-');
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...QUIET],
    env: { ...process.env, HOME: profile },
  });
  browser.on('disconnected', () => rmSync(profile, { recursive: true, force: true }));
  page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(address)) complaints.push(`asked for ${request.url()}`);
  });
});

afterAll(async () => {
  await browser?.close();
  await supervisor.destroy();
});

test('shows apps, links, problems and the last plan, live', async () => {
  await page.goto(address);
  await page.locator('article h3', { hasText: 'shop' }).waitFor();
  await page.locator('tr', { hasText: 'sick' }).locator('.badge.bad').waitFor();
  expect(await page.locator('#graph a.node').count()).toBe(2);
  expect(await page.locator('#graph path.edge').count()).toBe(1);
  expect(await page.locator('#notices').textContent()).toContain('<img src=x onerror=alert(4)>');
  expect(await page.locator('#plan tbody tr').count()).toBeGreaterThan(0);
  await supervisor.ok('stop', 'web');
  await page.locator('#apps tr', { hasText: 'web' }).locator('.badge', { hasText: 'Exited' }).waitFor();
  await page.locator('#events li.override', { hasText: 'shop/web stop' }).waitFor();
  await supervisor.ok('start', 'web');
});

test('counts unhealthy containers as failing, and shows how much of a wide graph is hidden', async () => {
  const chain = Array.from({ length: 12 }, (_, index) => {
    const links = index === 0 ? '' : `, links: [n${index - 1}]`;
    return `  n${index}: { image: busybox, command: ${shell(IDLE)}${links} }\n`;
  });
  const health = 'health: { exec: [busybox, "false"], interval: 1s, retries: 1, startPeriod: 0s }, restart: no';
  await page.goto(address);
  await page.locator('#facts', { hasText: '1 failing' }).waitFor();
  expect(await page.locator('#graph-more').textContent()).toBe('');
  supervisor.drop(
    'wide.yaml',
    `${BUSYBOX_IMAGE}containers:\n  ill: { image: busybox, command: ${shell(IDLE)}, ${health} }\n${chain.join('')}`,
  );
  const ill = page.locator('#apps tr', { hasText: 'ill' });
  await ill.locator('.badge.bad', { hasText: 'Running' }).waitFor();
  expect(await ill.textContent()).toContain('unhealthy');
  await page.locator('#facts', { hasText: '2 failing' }).waitFor();

  await page.locator('#graph-more', { hasText: /^\d+ more to the right/ }).waitFor();
  expect(await page.locator('#graph').getAttribute('class')).toContain('more-right');
  await page.evaluate('document.getElementById("graph").scrollLeft = 100000');
  await page.locator('#graph-more', { hasText: /^\d+ more to the left: / }).waitFor();
  // In a window that is wide enough nothing is out of sight.
  await page.setViewportSize({ width: 3800, height: 900 });
  await page.locator('#graph-more:empty').waitFor({ state: 'attached' });
  await page.setViewportSize({ width: 1400, height: 900 });
  supervisor.drop('wide.yaml', 'volumes: { kept: {} }\n');
  await page.locator('#facts', { hasText: '1 failing' }).waitFor();
});

test('opens, scrolls and closes a container by keyboard only', async () => {
  await page.goto(address);
  await page.locator('#apps a').first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('db');
  await page.locator('#apps tbody tr').nth(1).waitFor({ state: 'detached' });
  expect(await page.locator('#apps tbody tr').count()).toBe(1);
  await page.locator('#apps a').first().focus();
  await page.keyboard.press('Enter');
  await page.locator('#log', { hasText: 'red' }).waitFor();
  expect(await page.evaluate('document.activeElement.id')).toBe('detail-title');
  // What the container wrote is text: no element of it, no title of its own, no colour codes.
  expect(await page.locator('#log').textContent()).toContain('<img src=x onerror=alert(1)><script>alert(2)</script>');
  expect(await page.locator('#log img, #log script').count()).toBe(0);
  expect(await page.locator('#log').textContent()).not.toMatch(/\p{Cc}(?<!\n)/u);
  expect(await page.locator('#detail-facts').textContent()).toMatch(/Needed by\s*shop\/web/);
  await page.keyboard.press('Escape');
  await page.locator('#detail').waitFor({ state: 'hidden' });
});

test('reports a lost supervisor and reconnects automatically', async () => {
  await page.goto(address);
  await page.locator('#connection.good').waitFor();
  await supervisor.crash();
  await page.locator('#connection.bad').waitFor();
  await supervisor.start('--web', new URL(address).host);
  await page.locator('#connection.good').waitFor();
});

test('runs no foreign script, contacts no other host and logs no error', () => {
  expect(
    complaints.filter((text) => !/ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING)|ERR_EMPTY_RESPONSE/.test(text)),
  ).toEqual([]);
});
