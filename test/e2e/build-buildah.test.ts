/** The same Dockerfiles built here and by buildah give the same files and the same configuration. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ImageContent, imageContent } from '../support/image-tree.ts';
import { buildBase, findBusybox, temporaryDirectory } from '../support/images.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const busybox = findBusybox();
const buildah = spawnSync('buildah', ['--version']).error === undefined;

const FILES: Readonly<Record<string, string>> = {
  'a.txt': 'a',
  'b.txt': 'b',
  'dir/one': '1',
  'dir/deep/two': '2',
  'dir/skip.log': 'log',
  '.dockerignore': '**/*.log\n!dir/keep.log\n',
  'dir/keep.log': 'keep',
};

const CASES: Readonly<Record<string, string>> = {
  'copies of files and directories': `COPY a.txt /x/
COPY a.txt b.txt /many/
COPY dir /dir
COPY dir/ /dir/
COPY *.txt /globbed/
COPY a.txt /renamed
COPY --chown=1000:1001 dir /owned/
COPY --chown=app --chmod=0711 a.txt /owned/by-name
COPY . /all/`,
  'links of the image on the way': 'COPY a.txt /link/a\nCOPY dir /link/dir',
  'working directories': 'WORKDIR /made/here\nCOPY a.txt .\nWORKDIR ../there\nRUN pwd > where',
  'variables and arguments': `ARG V=1
ARG W
ENV A=$V B="two words" C=\${W:-none} D=\${V:+set}
ARG A=hidden
RUN echo "$A-$B-$C-$D-$V-$W" > /values
LABEL one="$A" two=\${V}x`,
  commands: `SHELL ["/bin/sh", "-ec"]
RUN false || echo survived > /shell
RUN ["/bin/sh", "-c", "echo exec > /exec"]
RUN rm -r /usr/real && echo x > /usr/real
CMD ["x"]
ENTRYPOINT ["/bin/echo"]`,
  'an entrypoint drops the inherited command': 'ENTRYPOINT ["/bin/echo", "x"]',
  'the rest of the configuration': `EXPOSE 80 53/udp
VOLUME ["/data", "/more"]
USER app:staff
STOPSIGNAL SIGINT
MAINTAINER somebody`,
  stages: `RUN echo built > /built
FROM busybox:1 AS second
COPY --from=0 /built /from-first
FROM second
COPY --from=second /from-first /again
RUN cat /from-first /again > /both`,
};

/** What both must agree on; buildah always writes a default PATH and labels itself. */
function comparable({ tree, config }: ImageContent): unknown {
  const { Env, Cmd, Entrypoint, ExposedPorts, Volumes, User, WorkingDir, StopSignal, Labels } = config.config as Record<
    string,
    unknown
  >;
  const labels = Object.entries((Labels as Record<string, string> | null) ?? {}).filter(
    ([name]) => !name.startsWith('io.buildah'),
  );
  return {
    tree: Object.fromEntries(
      Object.entries(tree)
        .filter(
          ([path]) => !/^(|dev|proc|sys|etc|run|etc\/(hosts|hostname|resolv\.conf)|(dev|proc|sys|run)\/.*)$/.test(path),
        )
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    config: {
      Env: Env ?? [],
      Cmd: Cmd ?? null,
      Entrypoint: (Entrypoint as string[] | null)?.length ? Entrypoint : null,
      ExposedPorts: ExposedPorts ?? {},
      Volumes: Volumes ?? {},
      User: User ?? '',
      WorkingDir: WorkingDir ?? '',
      StopSignal: StopSignal ?? '',
      Labels: Object.fromEntries(labels),
    },
  };
}

describe.skipIf(busybox === null || !buildah)('beside buildah (needs buildah, netavark, busybox-static)', () => {
  const area = temporaryDirectory();
  const storage = ['--root', join(area.path, 'store'), '--runroot', join(area.path, 'run'), '--storage-driver', 'vfs'];
  const isolated = (...args: string[]): string =>
    execFileSync('unshare', ['--mount', '--net', 'buildah', ...storage, ...args], { encoding: 'utf8', stdio: 'pipe' });
  let supervisor: TestSupervisor;

  beforeAll(async () => {
    supervisor = await new TestSupervisor().start();
    await supervisor.ok(
      'import',
      buildBase(area.path, busybox ?? ''),
      'busybox:1',
      '-c',
      'ENV PATH=/bin',
      '-c',
      'CMD ["sh"]',
    );
    await supervisor.ok('save', '-o', join(area.path, 'base.tar'), 'busybox:1');
    isolated('pull', `docker-archive:${join(area.path, 'base.tar')}`);
  });
  afterAll(async () => {
    await supervisor.destroy();
    area.remove();
  });

  test.each(Object.entries(CASES))('%s', async (_what, body) => {
    const directory = mkdtempSync(join(area.path, 'context-'));
    for (const [path, content] of Object.entries(FILES)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
    }
    chmodSync(join(directory, 'dir'), 0o750);
    writeFileSync(join(directory, 'Dockerfile'), `FROM busybox:1\n${body}\n`);
    const ours = join(area.path, 'ours.tar');
    const theirs = join(area.path, 'theirs.tar');
    for (const path of [ours, theirs]) rmSync(path, { force: true });
    await supervisor.ok('build', '-t', 'case:1', directory);
    await supervisor.ok('save', '-o', ours, 'case:1');
    const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];
    isolated(
      'bud',
      '--isolation',
      'chroot',
      '--format',
      'docker',
      '--pull=never',
      ...limits,
      '-t',
      'case:1',
      directory,
    );
    isolated('push', 'case:1', `docker-archive:${theirs}:case:1`);
    expect(comparable(imageContent(ours))).toEqual(comparable(imageContent(theirs)));
  });
});
