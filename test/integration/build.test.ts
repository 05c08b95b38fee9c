/** Real builds on a busybox root filesystem. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { imageContent } from '../support/image-tree.ts';
import { buildBase, findBusybox, tarOf, temporaryDirectory } from '../support/images.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const busybox = findBusybox();
const skopeo = spawnSync('skopeo', ['--version']).error === undefined;
const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');

let supervisor: TestSupervisor;
let work: string;

/** Writes files below a new context; a null makes nothing. */
function context(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(work, 'context-'));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  return directory;
}

const build = (directory: string, ...flags: string[]): Promise<CliResult> =>
  supervisor.cli('build', ...flags, directory);

async function built(directory: string, ...flags: string[]): Promise<string> {
  const { status, stdout, stderr } = await build(directory, '-q', ...flags);
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

async function tree(image: string): Promise<Readonly<Record<string, string>>> {
  const archive = join(work, 'saved.tar');
  rmSync(archive, { force: true });
  await supervisor.ok('save', '-o', archive, image);
  return imageContent(archive).tree;
}

const hash8 = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);
const file = (text: string, mode = '644', owner = '0:0'): string => `f ${mode} ${owner} ${hash8(text)}`;
const steps = (output: string): string[] => output.split('\n').filter((line) => /^\[\S+ \d+\/\d+\] [A-Z]+ /.test(line));

describe.skipIf(busybox === null)('builds (need busybox-static)', () => {
  const area = temporaryDirectory();

  beforeAll(async () => {
    work = area.path;
    supervisor = await new TestSupervisor().start();
    await supervisor.ok(
      'import',
      buildBase(work, busybox ?? ''),
      'busybox:1',
      '-c',
      'ENV PATH=/bin',
      '-c',
      'CMD ["sh"]',
    );
  });
  afterAll(async () => {
    await supervisor.destroy();
    area.remove();
  });

  test('stages, copies, commands and configuration have their effect', async () => {
    const directory = context({
      Dockerfile: `ARG BASE=busybox
FROM $BASE:1 AS tools
ARG WORD=default
WORKDIR /src
COPY . .
RUN echo "$WORD" > word && rm a.txt && ln -s word other && cat /etc/hostname /etc/resolv.conf > /dev/null
RUN <<SCRIPT
set -e
id -u > uid
ip addr show eth0 > /dev/null
touch /tmp/made
SCRIPT
FROM tools AS never
RUN exit 1
FROM busybox:1
COPY --from=tools --chown=app:staff --chmod=0640 /src/word /data/
COPY --from=0 /src/uid /link/uid
COPY sub/*.md docs/x /docs/
COPY <<ONE <<"TWO" /conf/
path=$PATH
ONE
path=$PATH
TWO
ADD files.tar.gz /unpacked
RUN --network=none ["/bin/sh", "-c", "ip link | grep -c eth0 > /links || true; rm -r /root"]
USER app
ENV A=1 B="two words"
EXPOSE 80 53/udp
ENTRYPOINT ["/bin/cat"]
CMD ["/data/word"]
`,
      'a.txt': 'a',
      'sub/one.md': '1',
      'sub/two.md': '2',
      'sub/three.txt': '3',
      'docs/x': 'x',
      '.dockerignore': 'sub/two.md\n*.secret\n',
      'my.secret': 'no',
    });
    writeFileSync(join(directory, 'plain'), tarOf({ path: 'in/side', content: 'inside', uid: 7, gid: 8 }));
    execFileSync('sh', ['-c', 'gzip -c plain > files.tar.gz && rm plain'], { cwd: directory });
    const { status, stdout, stderr } = await build(
      directory,
      '-t',
      'app:1',
      '--build-arg',
      'WORD=given',
      '--build-arg',
      'X=1',
    );
    expect([status, stderr]).toEqual([0, 'warning: build argument X is not used\n']);
    expect(stdout).not.toContain('exit 1');
    const files = await tree('app:1');
    expect(files['data/word']).toBe(file('given\n', '640', '1000:50'));
    expect(files['usr/real/uid']).toBe(file('0\n'));
    expect(files.link).toMatch(/^l /);
    expect(
      Object.keys(files)
        .filter((path) => path.startsWith('docs/'))
        .sort(),
    ).toEqual(['docs/one.md', 'docs/x']);
    expect(files['conf/ONE']).toBe(file('path=/bin\n'));
    expect(files['conf/TWO']).toBe(file('path=$PATH\n'));
    expect(files['unpacked/in/side']).toBe(file('inside', '644', '7:8'));
    expect(files.links).toBe(file('0\n'));
    expect(files.root).toBeUndefined();
    expect(files.tmp).toMatch(/^d 1777 /);
    expect(
      Object.keys(files).filter((path) => /^(etc\/(hosts|resolv|hostname)|proc\/.|sys\/.|dev\/.)/.test(path)),
    ).toEqual([]);
    if (!skopeo) return;
    const archive = join(work, 'saved.tar');
    const config = JSON.parse(
      execFileSync('skopeo', ['inspect', '--config', `docker-archive:${archive}`], { encoding: 'utf8' }),
    ).config;
    expect(config).toMatchObject({
      User: 'app',
      Env: ['PATH=/bin', 'A=1', 'B=two words'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Entrypoint: ['/bin/cat'],
      Cmd: ['/data/word'],
    });
  });

  test('the cache is used until any part of an instruction changes', async () => {
    const text = (run: string) =>
      `FROM busybox:1\nARG V=0\nCOPY f g /d/\nRUN ${run}\nCOPY --from=busybox:1 /etc/group /x\nLABEL a=b\n`;
    const directory = context({ Dockerfile: text('cat /d/f > /out'), f: 'one', g: 'two' });
    const known = async (...flags: string[]): Promise<string> => {
      const { stdout, stderr, status } = await build(directory, ...flags);
      if (status !== 0) throw new Error(stderr);
      return steps(stdout)
        .map((line) => (line.endsWith('(cached)') ? 'c' : '-'))
        .join('');
    };
    const first = await known();
    expect(first).toBe('-----');
    const id = await built(directory);
    expect(await known()).toBe('ccccc');
    expect(await built(directory)).toBe(id);
    // Times do not count.
    utimesSync(join(directory, 'f'), new Date(0), new Date(0));
    expect(await known()).toBe('ccccc');
    // A file that no instruction copies does not count.
    writeFileSync(join(directory, 'other'), 'x');
    expect(await known()).toBe('ccccc');
    chmodSync(join(directory, 'g'), 0o600);
    expect(await known()).toBe('c----');
    expect(await known('--build-arg', 'V=1')).toBe('cc---');
    writeFileSync(join(directory, 'Dockerfile'), text('cat /d/f > /out # other'));
    expect(await known()).toMatch(/^cc-/);
    expect(await known('--no-cache')).toBe('-----');
  });

  test('with SOURCE_DATE_EPOCH equal files give an equal image, regardless of times and builder', async () => {
    const text =
      'FROM busybox:1\nWORKDIR /w\nCOPY f .\nRUN date > /dev/null; touch made; mkdir d; echo x > d/y\nADD <<E /e\nx\nE\n';
    const id = async (when: Date): Promise<string> => {
      const directory = context({ Dockerfile: text, f: 'same' });
      utimesSync(join(directory, 'f'), when, when);
      return built(directory, '--no-cache', '--build-arg', 'SOURCE_DATE_EPOCH=1700000000');
    };
    const first = await id(new Date(0));
    expect(await id(new Date())).toBe(first);
  });

  test('ONBUILD triggers run where the image is a base, once', async () => {
    await built(
      context({ Dockerfile: 'FROM busybox:1\nONBUILD COPY f /trigger\nONBUILD RUN echo ran > /ran\n' }),
      '-t',
      'onbuild:1',
    );
    const child = context({ Dockerfile: 'FROM onbuild:1\nRUN cat /ran /trigger > /both\n', f: 'file' });
    await built(child, '-t', 'child:1');
    expect((await tree('child:1')).both).toBe(file('ran\nfile'));
    const grandchild = context({ Dockerfile: 'FROM child:1\nRUN true\n' });
    await built(grandchild);
  });

  test('a context from standard input, a named context, mounts and secrets', async () => {
    const secret = join(work, 'secret');
    writeFileSync(secret, 'hush');
    const named = context({ 'in/asset': 'asset' });
    const directory = context({
      Dockerfile: `FROM busybox:1 AS one
RUN echo from-one > /one
FROM busybox:1
COPY --from=assets in /assets
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/scratch --mount=type=secret,id=key \\
    --mount=type=bind,target=/ctx --mount=type=bind,from=one,source=/one,target=/from-one \\
    echo x >> /cache/count && echo y > /scratch/y && cat /run/secrets/key /ctx/here /from-one > /seen && wc -l < /cache/count > /lines
RUN --mount=type=cache,target=/cache wc -l < /cache/count > /lines2
`,
      here: 'here\n',
    });
    execFileSync('tar', ['-C', directory, '-cf', join(work, 'context.tar'), '.']);
    const input = readFileSync(join(work, 'context.tar'), 'latin1');
    const child = spawnSync(
      TSDOCKER,
      ['build', '-t', 'mounts:1', '--build-context', `assets=${named}`, '--secret', `id=key,src=${secret}`, '-'],
      { input: Buffer.from(input, 'latin1'), env: { ...process.env, TSDOCKER_HOST: supervisor.socket, NO_COLOR: '1' } },
    );
    expect([child.status, child.stderr.toString()]).toEqual([0, '']);
    const files = await tree('mounts:1');
    expect(files['assets/asset']).toBe(file('asset'));
    expect(files.seen).toBe(file('hushhere\nfrom-one\n'));
    expect([files.lines, files.lines2]).toEqual([file('1\n'), file('1\n')]);
    expect(Object.keys(files).filter((path) => /^(cache\/|scratch\/|ctx\/|run\/secrets\/)/.test(path))).toEqual([]);
    const alone = await supervisor.cliWithInput('FROM busybox:1\nRUN echo alone > /a\n', 'build', '-q', '-');
    expect(alone.status).toBe(0);
  });

  test('a command that fails is shown with its line and what it wrote', async () => {
    const directory = context({ Dockerfile: 'FROM busybox:1\n\nRUN echo first; \\\n  echo second >&2; exit 7\n' });
    const { status, stderr, stdout } = await build(directory);
    expect(status).toBe(1);
    expect(stdout).toContain('[stage-0 1/1] second');
    expect(stderr.split('\n').slice(0, 6)).toEqual([
      `error: ${directory}/Dockerfile:3:1: RUN ended with exit code 7 [TSD_BUILD_RUN]`,
      '    3 | RUN echo first; \\',
      '    4 |   echo second >&2; exit 7',
      'the last lines it wrote:',
      '      > first',
      '      > second',
    ]);
    const bad = await build(context({ Dockerfile: 'FROM busybox:1\nRUN ["/no/such"]\n' }));
    expect(bad.stderr).toMatch(/Dockerfile:2:1: RUN could not be started: .*\/no\/such/);
    const misnamed = await build(context({ Dockerfile: 'FROM busybox:1:1\n' }));
    expect(misnamed.stderr).toMatch(
      /"busybox:1:1" is not the name of an image.*\n.*hint: Correct the name of the image/s,
    );
    const missing = await build(context({ Dockerfile: 'FROM busybox:1\nCOPY nothing /x\n' }));
    expect(missing.stderr).toContain('Dockerfile:2:1: nothing is not in the build context');
  });

  describe('a hostile context', () => {
    const refused = async (directory: string, words: string): Promise<void> => {
      const { status, stderr } = await build(directory);
      expect([status, stderr]).toEqual([1, expect.stringContaining(words)]);
    };

    test.each([
      ['an absolute link', '/etc/passwd'],
      ['a climbing link', '../../../../../../etc/passwd'],
      ['a link into /proc', '/proc/self/root/etc/passwd'],
    ])('%s reaches no file of the host', async (_what, target) => {
      const directory = context({ Dockerfile: 'FROM scratch\nCOPY link /x\n' });
      symlinkSync(target, join(directory, 'link'));
      await refused(directory, 'link is not in the build context');
    });

    test('a directory that is a link stays inside, and links in directories stay links', async () => {
      const outside = context({ secret: 'outside' });
      const directory = context({ Dockerfile: 'FROM scratch\nCOPY d /d/\n', 'd/f': 'f' });
      symlinkSync(outside, join(directory, 'd/away'));
      await built(directory, '-t', 'links:1');
      expect((await tree('links:1'))['d/away']).toBe(`l 777 0:0 ${outside}`);
      const through = context({ Dockerfile: 'FROM scratch\nCOPY away/secret /x\n' });
      symlinkSync(outside, join(through, 'away'));
      await refused(through, 'away/secret is not in the build context');
    });

    test.each([
      ['COPY ../x /x', 'leads out of the build context'],
      ['COPY a/../../x /x', 'leads out of the build context'],
      ['COPY hidden/f /x', 'is left out of the build context by .dockerignore'],
      ['COPY fifo /x', 'is a fifo'],
      ['COPY d /x', 'a name that begins with .wh. deletes a file'],
      ['ADD evil.tar /x', 'path leaves the layer'],
      ['ADD node.tar /x', 'is a character-device'],
      ['ADD https://example.org/x.git /x', 'only files are fetched'],
      ['ADD --checksum=sha256:abc f /x', '--checksum goes with URLs'],
      ['ADD --checksum=md5:abc http://127.0.0.1:1/x /x', 'sha256: and 64 hexadecimal digits'],
      ['ADD http://127.0.0.1:1/ /x/', 'ends without a name'],
      ['ADD http://127.0.0.1:1/ /x', '127.0.0.1 is the loopback of the build'],
      ['COPY --from=nobody/nothing:none /x /x', 'nobody/nothing:none'],
      ['COPY --chown=ghost f /x', 'user "ghost" is not in /etc/passwd'],
    ])('%s is refused', async (line, words) => {
      const directory = context({
        Dockerfile: `FROM busybox:1\n${line}\n`,
        f: 'f',
        'd/.wh.etc': '',
        'hidden/f': 'f',
        '.dockerignore': 'hidden\n',
      });
      writeFileSync(join(directory, 'evil.tar'), tarOf({ path: '../../escaped', content: 'x' }));
      writeFileSync(join(directory, 'node.tar'), tarOf({ path: 'null', type: 'character-device', major: 1, minor: 3 }));
      execFileSync('mkfifo', [join(directory, 'fifo')]);
      await refused(directory, words);
      expect(existsSync('/escaped')).toBe(false);
    });

    test('a link in the base image stays inside the image', async () => {
      const base = context({ Dockerfile: 'FROM busybox:1\nRUN ln -s /tmp /out && ln -s ../../../../../../tmp /up\n' });
      await built(base, '-t', 'linked:1');
      const marker = `tsd-escape-${process.pid}`;
      await built(
        context({ Dockerfile: `FROM linked:1\nCOPY f /out/${marker}\nCOPY f /up/${marker}2\n`, f: 'f' }),
        '-t',
        'linked:2',
      );
      expect([existsSync(`/tmp/${marker}`), existsSync(`/tmp/${marker}2`)]).toEqual([false, false]);
      const files = await tree('linked:2');
      expect([files[`tmp/${marker}`], files[`tmp/${marker}2`]]).toEqual([file('f'), file('f')]);
    });
  });

  /** A build whose command continues for ever. */
  async function endlessBuild() {
    const directory = context({ Dockerfile: 'FROM busybox:1\nRUN echo begun; sleep 1000\n' });
    const child = spawn(TSDOCKER, ['build', directory], {
      env: { ...process.env, TSDOCKER_HOST: supervisor.socket, NO_COLOR: '1' },
    });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => {
      output += bytes.toString();
    });
    await until('the command running', async () => output.includes('] begun'));
    return child;
  }

  test('Ctrl-C cancels a build and leaves nothing behind', async () => {
    const before = supervisor.hostState();
    const child = await endlessBuild();
    let complaint = '';
    child.stderr.on('data', (bytes: Buffer) => {
      complaint += bytes.toString();
    });
    child.kill('SIGINT');
    expect(await new Promise((done) => child.once('close', done))).toBe(1);
    expect(complaint).toBe('the build was cancelled\n');
    await expect.poll(() => supervisor.hostState()).toEqual(before);
    await expect
      .poll(() => readdirSync(join(supervisor.root, 'tmp')).filter((name) => name.startsWith('build-')))
      .toEqual([]);
  });

  test('a supervisor killed in the middle of a command leaves nothing behind', async () => {
    const before = supervisor.hostState();
    const snapshots = (): string[] =>
      readdirSync(join(supervisor.root, 'overlay')).filter((id) =>
        existsSync(join(supervisor.root, 'overlay', id, 'upper')),
      );
    const child = await endlessBuild();
    expect(snapshots()).not.toEqual([]);
    await supervisor.crash();
    await new Promise((done) => (child.exitCode === null ? child.once('exit', done) : done(null)));
    await supervisor.start();
    await expect.poll(() => supervisor.hostState()).toEqual(before);
    await expect.poll(snapshots).toEqual([]);
    expect(await built(context({ Dockerfile: 'FROM busybox:1\nRUN true\n' }))).toMatch(/^sha256:/);
  });

  test('a changed base of the app rebuilds its dependents, and their containers follow', async () => {
    const base = context({ Dockerfile: 'FROM busybox:1\nCOPY message /message\n', message: 'first\n' });
    const middle = context({ Dockerfile: 'ARG FROM=base\nFROM $FROM\nLABEL middle=1\n' });
    const chain = context({
      Dockerfile:
        'FROM busybox:1\nCOPY --from=middle /message /copied\nCMD ["/bin/sh", "-c", "cat /copied; exec sleep 100000"]\n',
    });
    supervisor.drop(
      'chain.yaml',
      `containers:\n  chain: { image: chain, stopTimeout: 1s }\nimages:\n  chain: { build: ${chain} }\n  middle: { build: ${middle} }\n  base: { build: ${base} }\n`,
    );
    const logs = (): Promise<string> => supervisor.ok('logs', 'chain');
    const { id } = await supervisor.waitFor('chain', 'running', ({ phase }) => phase === 'Running');
    await expect.poll(logs).toBe('first\n');
    // Nothing was tried before what it is built from was there.
    expect(await supervisor.ok('events', '--since', '1h')).not.toContain('not made yet');
    writeFileSync(join(base, 'message.new'), 'second\n');
    renameSync(join(base, 'message.new'), join(base, 'message'));
    await supervisor.waitFor('chain', 'recreated', (view) => view.phase === 'Running' && view.id !== id);
    await expect.poll(logs).toBe('second\n');
    expect(await supervisor.ok('why', 'image/chain')).toContain(
      'image/chain/middle, which it is built from, is another image now',
    );
    // The change has to prove itself before.
    const nothingLeft = async () => /nothing to do/i.test((await supervisor.cli('plan')).stdout);
    await until('nothing left to do', nothingLeft);
    rmSync(join(supervisor.manifests, 'chain.yaml'));
    await expect.poll(() => supervisor.container('chain')).toBeUndefined();
  });

  test('a .build unit of Quadlet builds with labels and variables, and its containers run', async () => {
    const directory = context({ Containerfile: 'FROM busybox:1\nENV A=image B=image\nLABEL one=1\n' });
    supervisor.drop(
      'unit.build',
      `[Build]\nImageTag=localhost/unit\nSetWorkingDirectory=${directory}\nEnvironment=B=unit\nLabel=two=2\n`,
    );
    supervisor.drop('unit.container', '[Container]\nImage=unit.build\nExec=sh -c "echo $$A $$B; exec sleep 100000"\n');
    await supervisor.waitFor('unit', 'running', ({ phase }) => phase === 'Running');
    await expect.poll(() => supervisor.ok('logs', 'unit')).toBe('image unit\n');
    const archive = join(work, 'unit.tar');
    await supervisor.ok('save', '-o', archive, 'manifests/unit');
    expect((await imageContent(archive)).config.config).toMatchObject({ Labels: { one: '1', two: '2' } });
  });

  test('a declared build uses an image of its app in FROM and repeats after an edit of the context', async () => {
    const directory = context({
      Dockerfile: 'FROM base\nCOPY message /message\nCMD ["/bin/sh", "-c", "cat /message; exec sleep 100000"]\n',
      message: 'first\n',
      ignored: 'x',
      '.dockerignore': 'ignored\n',
    });
    supervisor.drop(
      'site.yaml',
      `images:\n  base: { rootfs: ${join(work, 'rootfs.tar')} }\n  site: { build: ${directory} }\ncontainers:\n  site: { image: site, stopTimeout: 1s }\n`,
    );
    const logs = (): Promise<string> => supervisor.ok('logs', 'site');
    const { id } = await supervisor.waitFor('site', 'running', ({ phase }) => phase === 'Running');
    await expect.poll(logs).toBe('first\n');
    writeFileSync(join(directory, 'message.new'), 'second\n');
    renameSync(join(directory, 'message.new'), join(directory, 'message'));
    await supervisor.waitFor('site', 'recreated', (view) => view.phase === 'Running' && view.id !== id);
    await expect.poll(logs).toBe('second\n');
    const generation = JSON.parse(await supervisor.ok('info', '-o', 'json')).generation;
    writeFileSync(join(directory, 'ignored'), 'y');
    writeFileSync(join(directory, 'Dockerfile'), 'FROM base\nRUN exit 3\n');
    await expect.poll(() => supervisor.ok('get', 'images')).toMatch(/exit code 3/);
    expect((await supervisor.container('site'))?.phase).toBe('Running');
    // The image that is there is used on, and what keeps the new one away is a condition.
    await expect
      .poll(() => supervisor.ok('describe', 'image/site/site'))
      .toMatch(/Held +yes +\S+Z +BackingOff +.*exit code 3/);
    expect(JSON.parse(await supervisor.ok('info', '-o', 'json')).generation).toBe(generation + 1);
    const { stderr } = await supervisor.cli(
      'validate',
      '-f',
      supervisor.file('bad.yaml', 'images: { x: { build: /no/such/place } }'),
    );
    expect(stderr).toContain('build context /no/such/place: no such directory');
  });

  test('a declared build has a platform and a secret, which stays out of the image', async () => {
    const directory = context({
      Dockerfile: `FROM scratch
COPY --from=base / /
ARG TARGETPLATFORM
RUN --mount=type=secret,id=key wc -c < /run/secrets/key > /seen; echo $TARGETPLATFORM > /platform
`,
    });
    writeFileSync(join(directory, '../declared-secret'), 'hush');
    const image = `{ context: ${directory}, platform: linux/arm64, secrets: { key: ${directory}/../declared-secret } }`;
    const text = `app: keyed\nimages:\n  base: { rootfs: ${join(work, 'rootfs.tar')} }\n  keyed: { build: ${image} }\n`;
    await supervisor.ok('apply', '--wait', '-f', supervisor.file('keyed.yaml', text));
    const files = await tree('keyed/keyed');
    expect([files.seen, files.platform]).toEqual([file('4\n'), file('linux/arm64\n')]);
    expect(Object.keys(files).filter((path) => path.startsWith('run/secrets/'))).toEqual([]);
    await supervisor.ok('delete', '--wait', '-f', supervisor.file('keyed.yaml', text));
  });
});
