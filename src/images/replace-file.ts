import { rename, writeFile } from 'node:fs/promises';

/** What is being written, by path. */
const writing = new Map<string, Promise<void>>();

/**
 * Replaces a file that only saves work. Writers of one path take turns, since the temporary file has the same name each
 * time: one that a crash leaves is written over by the next.
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  const before = writing.get(path) ?? Promise.resolve();
  const mine = before.then(() => writeAndRename(path, content));
  // The next one does not depend on how this one ended.
  const ended = mine.catch(() => {});
  writing.set(path, ended);
  try {
    await mine;
  } finally {
    if (writing.get(path) === ended) writing.delete(path);
  }
}

async function writeAndRename(path: string, content: string): Promise<void> {
  await writeFile(`${path}.part`, content, { mode: 0o600 });
  await rename(`${path}.part`, path);
}
