/**
 * Unpacks a tar of a container on this host with the host's tar: what it holds was made by others, and tar lets no entry lead
 * out of the directory. A copy under another name is unpacked beside its place and renamed when it is whole.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { Target } from './place.ts';

/** @param contents the tar has what is in a directory @throws TsdError */
export async function unpack(
  tar: AsyncIterable<Buffer>,
  { directory, name }: Target,
  { contents, keepsOwners }: { readonly contents: boolean; readonly keepsOwners: boolean },
): Promise<number> {
  try {
    if (name === null || name === '.') return await extract(tar, directory, keepsOwners);
    if (contents) {
      mkdirSync(join(directory, name));
      return await extract(tar, join(directory, name), keepsOwners);
    }
    const aside = mkdtempSync(join(directory, '.tsdocker-cp-'));
    try {
      const length = await extract(tar, aside, keepsOwners);
      const [entry] = readdirSync(aside, { encoding: 'buffer' });
      if (entry === undefined) throw new TsdError('TSD_BAD_REQUEST', 'the container sent no file');
      renameSync(Buffer.concat([Buffer.from(`${aside}/`), entry]), join(directory, name));
      return length;
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  } catch (thrown) {
    throw toTsdError(thrown);
  }
}

/** Returns the length of the tar. */
async function extract(tar: AsyncIterable<Buffer>, directory: string, keepsOwners: boolean): Promise<number> {
  const owners = keepsOwners ? '--same-owner' : '--no-same-owner';
  const child = spawn('tar', ['-x', '-p', owners, '-f', '-', '-C', directory], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => resolve(code ?? -1));
  });
  let length = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of tar) {
      length += chunk.length;
      yield chunk;
    }
  };
  let broken: unknown;
  // One that ends early says why itself.
  const sent = pipeline(counted, child.stdin).catch((thrown: unknown) => {
    broken = thrown;
  });
  const code = await ended;
  await sent;
  if (code !== 0)
    throw new TsdError('TSD_BAD_REQUEST', `tar could not unpack all of it in ${directory} (exit ${code})`);
  if (broken !== undefined && (broken as NodeJS.ErrnoException).code !== 'EPIPE') throw broken;
  return length;
}
