/** ADD of URLs, from a real nginx on the host's loopback, by builds with the host's network. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { imageContent } from '../support/image-tree.ts';
import { busyboxRootfs, findBusybox, tarOf, temporaryDirectory } from '../support/images.ts';
import { NGINX_INSTALLED, NginxServer } from '../support/nginx.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const busybox = findBusybox();
const MODIFIED = 1_600_000_000;
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

describe.skipIf(busybox === null || !NGINX_INSTALLED)('ADD of URLs (needs busybox-static, nginx-light)', () => {
  const area = temporaryDirectory();
  let supervisor: TestSupervisor;
  let nginx: NginxServer;

  const serve = (name: string, content: string | Buffer): string => {
    writeFileSync(join(nginx.files, name), content);
    utimesSync(join(nginx.files, name), MODIFIED, MODIFIED);
    return `${nginx.url}/${name}`;
  };
  const context = (dockerfile: string): string => {
    const directory = mkdtempSync(join(area.path, 'context-'));
    writeFileSync(join(directory, 'Dockerfile'), dockerfile);
    return directory;
  };
  beforeAll(async () => {
    supervisor = await new TestSupervisor().start();
    nginx = await new NginxServer().start();
    const rootfs = join(area.path, 'rootfs');
    mkdirSync(rootfs);
    busyboxRootfs(rootfs, busybox ?? '');
    execFileSync('tar', ['-C', rootfs, '-cf', join(area.path, 'rootfs.tar'), '.']);
    await supervisor.ok('import', join(area.path, 'rootfs.tar'), 'busybox:1', '-c', 'ENV PATH=/bin');
  });
  afterAll(async () => {
    await nginx.stop();
    await supervisor.destroy();
    area.remove();
  });

  test('mode, time, names, owners and archives match docker', async () => {
    const file = serve('some file.txt', 'text').replace(' ', '%20');
    const archive = serve('files.tar', tarOf({ path: 'inside', content: 'in' }));
    const directory = context(`FROM busybox:1
ARG NAME=some%20file.txt
ADD ${nginx.url}/$NAME /into/
ADD ${file} /renamed
ADD --chown=7:8 --chmod=0644 --checksum=sha256:${hash('text')} ${file}?x=1 /owned
ADD ${archive} /packed.tar
ADD --unpack=true ${archive} /unpacked/
RUN stat -c '%a %u:%g %Y %n' '/into/some file.txt' /renamed /owned > /seen
`);
    await supervisor.ok('build', '--network', 'host', '-t', 'added:1', directory);
    const saved = join(area.path, 'added.tar');
    await supervisor.ok('save', '-o', saved, 'added:1');
    const { tree } = await imageContent(saved);
    expect(tree['unpacked/inside']).toContain(hash('in').slice(0, 8));
    expect(tree['packed.tar']).toMatch(/^f 600 0:0 /);
    expect(tree.seen).toContain(
      hash(`600 0:0 ${MODIFIED} /into/some file.txt\n600 0:0 ${MODIFIED} /renamed\n644 7:8 ${MODIFIED} /owned\n`).slice(
        0,
        8,
      ),
    );
  });

  test('another build asks whether the file changed and repeats later steps only then', async () => {
    const url = serve('page', 'one');
    const directory = context(`FROM busybox:1\nADD ${url} /page\nRUN cat /page\n`);
    await supervisor.ok('build', '--network', 'host', '-t', 'page:1', directory);
    nginx.asked();
    const again = await supervisor.ok('build', '--network', 'host', '-t', 'page:1', directory);
    expect(again).toMatch(/2\/2\] RUN cat \/page.*cached/s);
    expect(nginx.asked()).toEqual(['304 /page']);
    writeFileSync(join(nginx.files, 'page'), 'two');
    const changed = await supervisor.cli('build', '--network', 'host', '-t', 'page:1', directory);
    expect(`${changed.stdout}${changed.stderr}`).toContain('two');
    expect(nginx.asked()).toEqual(['200 /page']);
  });

  test('a failed download is an error at its line', async () => {
    const missing = await supervisor.cli(
      'build',
      '--network',
      'host',
      context(`FROM busybox:1\nRUN true\nADD ${nginx.url}/absent?key=s3cret /x\n`),
    );
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain('Dockerfile:3');
    expect(missing.stderr).toContain(`ADD of ${nginx.url}/absent: ${nginx.url.slice(7)} answers 404 Not Found`);
    const wrong = context(`FROM busybox:1\nADD --checksum=sha256:${hash('x')} ${serve('f', 'y')} /x\n`);
    expect((await supervisor.cli('build', '--network', 'host', wrong)).stderr).toContain(
      `the file has sha256:${hash('y')}`,
    );
    const plain = context(`FROM busybox:1\nADD --unpack=true ${serve('g', 'y')} /x/\n`);
    expect((await supervisor.cli('build', '--network', 'host', plain)).stderr).toContain(
      'is no archive, and --unpack wants one',
    );
  });
});
