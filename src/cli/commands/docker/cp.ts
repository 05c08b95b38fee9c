import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { DockerArchives, PathStat } from '../../../api/docker/archives.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { localSource, tarOfLocal } from '../../copy/local-tree.ts';
import { type Found, inContainer, linkedPath, meansContents, targetOf } from '../../copy/place.ts';
import { unpack } from '../../copy/unpack.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatBytes, printable } from '../../output/text.ts';

interface CopyOptions {
  readonly archive?: boolean;
  readonly followLink?: boolean;
  readonly quiet?: boolean;
}

interface Place {
  readonly container: string;
  readonly path: string;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Copies files and directories between this host and a container, which may also be stopped, through its volumes too. A ' +
      'directory that is there gets the copy in it; another target is its new name; DIR/. stands for what is in a directory. ' +
      'A path of this host that has a colon begins with ./',
    examples: [
      ['tsdocker cp web:/etc/nginx/nginx.conf .', 'A file of a container'],
      ['tsdocker cp site/. web:/usr/share/nginx/html', 'What is in a directory, into a container'],
      ['tsdocker cp web:/var/log - | tar t', 'As a tar on standard output; - as the source reads one'],
    ],
  });
  command.argument('<source>', 'CONTAINER:PATH, a path of this host, or -');
  command.argument('<target>', 'CONTAINER:PATH, a path of this host, or -');
  command.option('-a, --archive', 'out of a container: keep the owners of the files; into one: give them to its user');
  command.option('-L, --follow-link', 'of a link as the source, copy what it leads to');
  command.option('-q, --quiet', 'say nothing when it is done');
  command.action(
    context.action(async (source: string, target: string, options: CopyOptions) => {
      const [from, to] = [inContainer(source), inContainer(target)];
      if ((from === null) === (to === null)) throw needsOne(from !== null);
      const archives = await context.dockerArchives();
      if (from) await copyOut(context, archives, from, target, options);
      if (to) await copyIn(context, archives, source, to, options);
      return EXIT.ok;
    }),
  );
}

function needsOne(both: boolean): TsdError {
  const what = both ? 'copying between containers is not supported' : 'neither source nor target is in a container';
  return new TsdError('TSD_BAD_REQUEST', what, { hint: 'For example `tsdocker cp web:/etc/hosts .`' });
}

function said(context: CliContext, { quiet = false }: CopyOptions, length: number, target: string): void {
  if (!quiet) context.warn(`copied ${formatBytes(length)} to ${printable(target)}`);
}

async function copyOut(
  context: CliContext,
  archives: DockerArchives,
  from: Place,
  target: string,
  options: CopyOptions,
): Promise<void> {
  const contents = meansContents(from.path);
  const source = await sourceIn(archives, from, options.followLink === true);
  const path = source.path === '/' ? '/.' : source.path;
  if (target === '-') return await toOutput(context, await archives.download(from.container, path));
  const asked = resolve(context.streams.cwd, target);
  const there = targetOf(target.endsWith('/') ? `${asked}/` : asked, localFound(asked), source.found, contents);
  const tar = await archives.download(from.container, path);
  const length = await unpack(tar, there, { contents, keepsOwners: options.archive === true });
  said(context, options, length, asked);
}

/** What is copied out of a container; its absence is said by the download. */
async function sourceIn(
  archives: DockerArchives,
  { container, path }: Place,
  follows: boolean,
): Promise<{ readonly path: string; readonly found: Found }> {
  const stat = await archives.stat(container, path);
  if (stat === null || !follows || stat.linkTarget === '') return { path, found: stat ?? { isDirectory: false } };
  const behind = linkedPath(path, stat.linkTarget);
  return { path: behind, found: (await archives.stat(container, behind)) ?? { isDirectory: false } };
}

function localFound(path: string): Found | null {
  return statSync(path, { throwIfNoEntry: false }) ? { isDirectory: statSync(path).isDirectory() } : null;
}

async function toOutput({ streams: { stdout } }: CliContext, tar: Readable): Promise<void> {
  if (stdout.isTTY === true) {
    tar.destroy();
    throw new TsdError('TSD_BAD_REQUEST', 'a tar is not written to a terminal', {
      hint: 'Send it to a file or another program: `tsdocker cp web:/etc - | tar t`.',
    });
  }
  for await (const chunk of tar) {
    if (!stdout.write(chunk)) await new Promise<void>((done) => stdout.once('drain', done));
  }
}

async function copyIn(
  context: CliContext,
  archives: DockerArchives,
  source: string,
  to: Place,
  options: CopyOptions,
): Promise<void> {
  const keepsOwners = options.archive === true;
  const there = await placeIn(archives, to);
  if (source === '-') {
    if (there.stat?.isDirectory === false) throw noDirectory(to);
    await archives.upload(to.container, there.path, context.streams.stdin as AsyncIterable<Buffer>, keepsOwners);
    return;
  }
  const contents = meansContents(source);
  const local = localSource(context.streams.cwd, source, options.followLink === true);
  const target = targetOf(there.path, there.stat, local, contents);
  let length = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of tarOfLocal(local, target.name ?? local.name)) {
      length += chunk.length;
      yield chunk;
    }
  };
  await archives.upload(to.container, target.directory, counted(), keepsOwners);
  said(context, options, length, `${to.container}:${to.path}`);
}

function noDirectory({ container, path }: Place): TsdError {
  return new TsdError('TSD_BAD_REQUEST', `${container}:${path} is no directory: a tar is unpacked in one`);
}

/** Where a target leads: a link as the last part of its path is followed. */
async function placeIn(
  archives: DockerArchives,
  { container, path }: Place,
): Promise<{ readonly path: string; readonly stat: PathStat | null }> {
  const stat = await archives.stat(container, path);
  if (stat === null || stat.linkTarget === '') return { path, stat };
  const behind = linkedPath(path, stat.linkTarget);
  return { path: behind, stat: await archives.stat(container, behind) };
}
